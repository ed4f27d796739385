import { setTimeout as delay } from "node:timers/promises";
import { type Account, assign, createPromotion, freshEmail, PASSWORD, registerPlayer } from "./api.ts";
import { type Follower, followNotifications } from "./follower.ts";
import { servers } from "./servers.ts";

/** A request takes about 10 ms, so this keeps both cores of a small machine busy, and no more. */
const CLIENTS = 8;
const PAUSE_MS = 10;
/** One turn in so many registers somebody, which costs Users a password hash. */
const REGISTER_EVERY = 3;
const AMOUNT_MINOR = 10;

/** A player of the traffic, and what must be true of them in the end. */
export interface TrafficPlayer {
  account: Account;
  /** Promotions that were assigned with a 2xx, in that order. */
  assigned: string[];
  /** The sum of all claims that were answered with a 2xx, in minor units. */
  claimedMinor: number;
  follower: Follower;
}

export interface TrafficReport {
  /** Requests that got the answer they must get. */
  answered: number;
  /** Those of them that were POST. */
  posts: number;
  /** A line for each request that did not. */
  failures: string[];
  players: TrafficPlayer[];
  /** Ids of those who registered while it ran. */
  registered: string[];
}

export interface Traffic {
  /** What has happened so far. */
  report: TrafficReport;
  /** Ends it; the sockets stay open, for what is still under way. */
  stop(): Promise<TrafficReport>;
}

/**
 * Steady traffic through nginx, most of it writes: each client is a player with an open socket, and staff that create a
 * promotion, assign it to the player, who claims it, claims it again, reads everything, marks all as read, and logs out of
 * nothing; now and then somebody registers. Every request must be answered with the one status that is right.
 */
export async function startTraffic(staff: Account): Promise<Traffic> {
  const report: TrafficReport = { answered: 0, posts: 0, failures: [], players: [], registered: [] };
  report.players = await Promise.all(Array.from({ length: CLIENTS }, () => bringPlayer(staff)));
  let isOver = false;
  const clients = report.players.map(async (player, index) => {
    for (let turn = index; !isOver; turn++) await takeTurn(report, staff, player, turn);
  });
  return {
    report,
    async stop() {
      isOver = true;
      await Promise.all(clients);
      return report;
    },
  };
}

async function bringPlayer(staff: Account): Promise<TrafficPlayer> {
  const account = await registerPlayer();
  const promotion = await createPromotion(staff.token, { amountMinor: AMOUNT_MINOR });
  await assign(staff.token, promotion.id, [account.id]);
  const follower = await followNotifications(account.token);
  return { account, assigned: [promotion.id], claimedMinor: 0, follower };
}

async function takeTurn(report: TrafficReport, staff: Account, player: TrafficPlayer, turn: number): Promise<void> {
  const { account } = player;
  const send = (route: string, expected: number, token?: string, json?: unknown) =>
    sendExpecting(report, route, expected, token, json);

  const created = await send("POST /promotions/api/v1/promotions", 201, staff.token, newPromotion(turn));
  const promotionId = created?.id as string | undefined;
  if (promotionId === undefined) return;
  const path = `/promotions/api/v1/promotions/${promotionId}`;
  const assigned = await send(`POST ${path}/assign`, 200, staff.token, { playerIds: [account.id] });
  if (assigned?.assigned === 1) player.assigned.push(promotionId);
  else report.failures.push(`assigned ${JSON.stringify(assigned)}`);
  const claimed = await send("POST /promotions/api/v1/promotions/claim", 201, account.token, { promotionId });
  if (claimed !== undefined) player.claimedMinor += claimed.amountMinor as number;
  await send("POST /promotions/api/v1/promotions/claim", 200, account.token, { promotionId });
  await send("GET /users/api/v1/users/me", 200, account.token);
  await send(`GET /promotions/api/v1/promotions/players/${account.id}`, 200, account.token);
  await send("GET /notifications/api/v1/notifications", 200, account.token);
  await send("POST /notifications/api/v1/notifications/read-all", 204, account.token);
  await send("POST /users/api/v1/auth/logout", 204, undefined, {});
  if (turn % REGISTER_EVERY !== 0) return;
  const newcomer = { email: freshEmail(), password: PASSWORD };
  const registered = await send("POST /users/api/v1/auth/register", 201, undefined, newcomer);
  if (registered !== undefined) report.registered.push(registered.id as string);
}

const newPromotion = (turn: number) => ({
  title: `Turn ${turn}`,
  description: "Made by a test.",
  type: "BONUS",
  amountMinor: AMOUNT_MINOR,
  currency: "EUR",
  startsAt: "2026-01-01T00:00:00.000Z",
  endsAt: "2099-01-01T00:00:00.000Z",
  status: "active",
});

/** Not `api()`, whose check of each answer against the contract takes longer than the answer. */
async function sendExpecting(
  report: TrafficReport,
  route: string,
  expected: number,
  token?: string,
  json?: unknown,
): Promise<Record<string, unknown> | undefined> {
  const [method = "GET", target = "/"] = route.split(" ");
  const startedAt = new Date().toISOString();
  const fail = (what: unknown) => report.failures.push(`${startedAt} ${route}: ${what}`);
  await delay(PAUSE_MS);
  try {
    const response = await fetch(servers.url + target, {
      method,
      headers: {
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (response.status !== expected) return void fail(`${response.status} ${text}`);
    report.answered += 1;
    if (method === "POST") report.posts += 1;
    return text === "" ? {} : JSON.parse(text);
  } catch (error) {
    return void fail((error as Error).cause ?? error);
  }
}
