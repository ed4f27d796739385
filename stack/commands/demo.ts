import { styleText } from "node:util";
import { StackError } from "../errors.ts";
import { layoutOf } from "../plan/layout.ts";
import { stackDir } from "../plan/options.ts";
import { readState } from "../plan/state.ts";
import { stackRunner } from "../stack.ts";
import { readProcessTable } from "../supervisor/process-table.ts";

/** Milliseconds. */
const REQUEST_DEADLINE_MS = 10_000;
const PUSH_DEADLINE_MS = 10_000;
const DAY_MS = 86_400_000;

interface Promotion {
  id: string;
  title: string;
  amountMinor: number;
  currency: string;
}

interface Frame {
  type: string;
  id: string;
  content: { promotionId: string; title: string };
}

/** Walks two players through the main flow on the running system, with real requests through nginx. */
async function tellStory(): Promise<void> {
  const { url, admin } = findStack();
  const call = client(url);
  const staff = await call("POST /users/api/v1/auth/login", { json: admin });
  say("The house", `${url}, staff is ${admin.email}`);
  const bonus = await ensureWelcomeBonus(call, staff.accessToken);
  say("Welcome bonus", `"${bonus.title}", ${money(bonus)}, id ${bonus.id}`);

  heading("A regular is given a promotion by staff");
  const regular = await register(call, url, "regular");
  await regular.socket.next(bonus.id);
  const vip = await createPromotion(call, staff.accessToken, "VIP_PROMOTION", "A table by the window");
  const assignedAt = performance.now();
  const assign = { token: staff.accessToken, json: { playerIds: [regular.id] } };
  const { assigned } = await call(`POST /promotions/api/v1/promotions/${vip.id}/assign`, assign);
  const pushed = await regular.socket.next(vip.id);
  say("Assigned", `"${vip.title}", ${money(vip)}, to ${assigned} player`);
  say("Pushed", `notification ${pushed.id}, ${highlight(`${ms(assignedAt)} from the request`)}`);
  regular.socket.close();

  heading("A newcomer gets the welcome bonus by registering");
  const newcomer = await register(call, url, "newcomer");
  const welcome = await newcomer.socket.next(bonus.id);
  const sinceRegistration = ms(newcomer.registeredAt);
  say("Pushed", `"${welcome.content.title}", notification ${welcome.id}`);
  say("", highlight(`${sinceRegistration} from registration to the push, logging in and connecting included`));
  newcomer.socket.close();

  const claim = { token: newcomer.token, json: { promotionId: bonus.id } };
  const claimed = await call("POST /promotions/api/v1/promotions/claim", claim);
  say("Claimed", `${money(claimed)}, transaction ${claimed.transactionId}`);
  const again = await call("POST /promotions/api/v1/promotions/claim", claim);
  say("Claimed again", `transaction ${again.transactionId}: the same, paid once`);
  const me = await call("GET /users/api/v1/users/me", { token: newcomer.token });
  say("Balance", highlight(money({ amountMinor: me.balanceMinor, currency: me.currency })));
}

/** Registers a player, logs in and opens their socket. */
async function register(call: Call, url: string, who: string) {
  const credentials = { email: `${who}-${Date.now()}@casino.example`, password: "a-demo-password-1" };
  const { id, email, balanceMinor } = await call("POST /users/api/v1/auth/register", { json: credentials });
  const registeredAt = performance.now();
  say("Registered", `${email}, id ${id}, balance ${balanceMinor}`);
  const { accessToken: token } = await call("POST /users/api/v1/auth/login", { json: credentials });
  return { id, registeredAt, token, socket: await openSocket(url, token) };
}

/** @throws StackError when nothing runs */
function findStack(): { url: string; admin: { email: string; password: string } } {
  const dir = stackDir(process.env);
  const state = readState(layoutOf(dir));
  if (state === undefined || stackRunner(dir) === undefined) {
    throw new StackError("The system does not run here. Start it in another terminal: npm start");
  }
  const nginx = readProcessTable(layoutOf(dir).processes).find(({ name }) => name === "nginx");
  if (nginx?.port == null) throw new StackError("nginx is not up. See what is wrong: npm run status");
  return { url: `http://127.0.0.1:${nginx.port}`, admin: state.admin };
}

type Call = ReturnType<typeof client>;

function client(url: string) {
  // biome-ignore lint/suspicious/noExplicitAny: the story prints what it gets
  return async (route: string, request: { token?: string; json?: unknown }): Promise<any> => {
    const [method = "GET", path = "/"] = route.split(" ");
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(request.json === undefined ? {} : { "content-type": "application/json" }),
        ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      },
      ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    const body = (await response.json()) as { detail?: string; code?: string };
    if (!response.ok) throw new StackError(`${route} answered ${response.status} ${body.code}: ${body.detail}`);
    return body;
  };
}

/** The bonus that is active now, made if there is none. */
async function ensureWelcomeBonus(call: Call, token: string): Promise<Promotion> {
  const now = encodeURIComponent(new Date().toISOString());
  const { data } = await call(`GET /promotions/api/v1/promotions?type=WELCOME_BONUS&activeAt=${now}`, { token });
  return data[0] ?? createPromotion(call, token, "WELCOME_BONUS", "Welcome to the house");
}

async function createPromotion(call: Call, token: string, type: string, title: string): Promise<Promotion> {
  const { currency } = await call("GET /users/api/v1/users/me", { token });
  const json = {
    title,
    description: "From npm run demo.",
    type,
    amountMinor: 2000,
    currency,
    startsAt: new Date(Date.now() - 1_000).toISOString(),
    endsAt: new Date(Date.now() + 30 * DAY_MS).toISOString(),
    status: "active",
  };
  return call("POST /promotions/api/v1/promotions", { token, json });
}

async function openSocket(url: string, token: string) {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/notifications/ws`, ["casino.v1", `bearer.${token}`]);
  const frames: Frame[] = [];
  const arrivals = new EventTarget();
  socket.addEventListener("message", ({ data }) => {
    frames.push(JSON.parse(String(data)));
    arrivals.dispatchEvent(new Event("frame"));
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new StackError("The WebSocket can't be opened.")), { once: true });
  });
  return {
    close: () => socket.close(),
    /** Waits for the notification of a promotion. */
    async next(promotionId: string): Promise<Frame> {
      const find = () =>
        frames.find((frame) => frame.type === "notification" && frame.content.promotionId === promotionId);
      const deadline = AbortSignal.timeout(PUSH_DEADLINE_MS);
      for (let frame = find(); ; frame = find()) {
        if (frame !== undefined) return frame;
        await new Promise<void>((resolve, reject) => {
          arrivals.addEventListener("frame", () => resolve(), { once: true });
          deadline.addEventListener("abort", () => reject(new StackError("The push did not come.")), { once: true });
        });
      }
    },
  };
}

function money({ amountMinor, currency }: { amountMinor: number; currency: string }): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amountMinor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 0));
}

const ms = (since: number) => `${(performance.now() - since).toFixed(0)} ms`;
const highlight = (text: string) => styleText("bold", text);
const heading = (text: string) => process.stdout.write(`\n${text}\n`);
const say = (what: string, text: string) => process.stdout.write(`${what.padEnd(15)} ${text}\n`);

try {
  await tellStory();
} catch (error) {
  process.stderr.write(`\n${error instanceof StackError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
