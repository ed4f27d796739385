import { afterEach, beforeAll, expect, test } from "vitest";
import {
  type Account,
  type ApiRequest,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  freshEmail,
  logIn,
  PASSWORD,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { killProcess, listProcesses, startProcess, stopProcess } from "../support/control.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

/** Milliseconds: below nginx's 15 s, after which the answer would be its 504. */
const DEADLINE_MS = 12_000;
/** Milliseconds: far below any timeout; an answer that nobody was asked for. */
const AT_ONCE_MS = 1_000;

let staff: Account;
let player: Account;
beforeAll(async () => {
  staff = await registerStaff();
  player = await registerPlayer();
});

const frozen = new Set<string>();
async function freeze(role: string): Promise<void> {
  for (const { name } of (await listProcesses()).filter((process) => process.role === role)) {
    frozen.add(name);
    await killProcess(name, "SIGSTOP");
  }
  expect(frozen.size).toBeGreaterThan(0);
}
async function thaw(): Promise<void> {
  for (const name of frozen) await killProcess(name, "SIGCONT");
  frozen.clear();
}
afterEach(async () => {
  await thaw();
  await until("all are ready", async () => (await listProcesses()).every(({ health }) => health === "ready"), {
    timeoutMs: 30_000,
  });
});

interface Timed {
  route: string;
  status: number;
  code: string | undefined;
  retryAfter: string | null;
  ms: number;
}

async function timed(route: string, request: ApiRequest = {}): Promise<Timed> {
  const startedAt = performance.now();
  const { status, body, headers } = await api(route, request);
  const ms = performance.now() - startedAt;
  return { route, status, code: body?.code, retryAfter: headers.get("retry-after"), ms };
}

/** Sends all requests `times` times at once. */
const send = (requests: [route: string, request: ApiRequest][], times: number) =>
  Promise.all(Array.from({ length: times }, () => requests).flatMap((all) => all.map((one) => timed(...one))));

function expectUnavailableInTime(answers: Timed[], code: string): void {
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 503, code, retryAfter: "2" });
    expect(answer.ms, answer.route).toBeLessThan(DEADLINE_MS);
  }
}

/** All but the probes, of which each replica sends one at a time, are answered at once. */
function expectMostlyAtOnce(answers: Timed[]): void {
  const atOnce = answers.filter(({ ms }) => ms < AT_ONCE_MS).length;
  expect(atOnce / answers.length, answers.map(({ ms }) => Math.round(ms)).join(" ")).toBeGreaterThan(0.75);
}

test("PostgreSQL frozen: every request that needs it answers 503 in time, then at once; processes still stop; thawed, all works", async () => {
  const promotion = await createPromotion(staff.token);
  await assign(staff.token, promotion.id, [player.id]);
  const own = { token: player.token };
  const house = { token: staff.token };
  const status = { ...house, json: { status: "suspended", reason: "r" } };
  const requests: [string, ApiRequest][] = [
    ["POST /users/api/v1/auth/register", { json: { email: freshEmail(), password: PASSWORD } }],
    ["POST /users/api/v1/auth/login", { json: { email: player.email, password: PASSWORD } }],
    ["GET /users/api/v1/users/me", own],
    ["GET /users/api/v1/transactions", own],
    ["GET /users/api/v1/users", house],
    [`PATCH /users/api/v1/users/${player.id}/status`, status],
    ["GET /promotions/api/v1/promotions", house],
    ["POST /promotions/api/v1/promotions", { ...house, json: promotionInput() }],
    [`PATCH /promotions/api/v1/promotions/${promotion.id}`, { ...house, json: { status: "paused" } }],
    [
      `POST /promotions/api/v1/promotions/${promotion.id}/assign`,
      { ...house, json: { playerIds: [player.id, staff.id] } },
    ],
    [`GET /promotions/api/v1/promotions/players/${player.id}`, own],
    ["POST /promotions/api/v1/promotions/claim", { ...own, json: { promotionId: promotion.id } }],
  ];
  const stopping = ["users-1", "outbox-relay-users-1", "welcome-bonus-1"];
  await freeze("postgres");
  expectUnavailableInTime(await send(requests, 6), "database_unavailable");
  const later = await send(requests, 3);
  expectUnavailableInTime(later, "database_unavailable");
  expectMostlyAtOnce(later);

  const startedAt = performance.now();
  await Promise.all(stopping.map(stopProcess));
  expect(performance.now() - startedAt).toBeLessThan(9_000);

  await thaw();
  await Promise.all(stopping.map(startProcess));
  const fresh = await until("a player can register", registerPlayer, { timeoutMs: 20_000 });
  const other = await until("staff can create", () => createPromotion(staff.token, { amountMinor: 700 }));
  await assign(staff.token, other.id, [fresh.id]);
  expect(
    await until("a claim is paid", async () => {
      const answer = await claim(fresh, other.id);
      return answer.status < 300 && answer;
    }),
  ).toMatchObject({ body: { balanceMinor: 700 } });
  await until("all are ready", async () => (await listProcesses()).every(({ health }) => health === "ready"), {
    timeoutMs: 30_000,
  });
  const again = await send(
    requests.filter(([route]) => route.startsWith("GET")),
    6,
  );
  expect(new Set(again.map((answer) => answer.status))).toEqual(new Set([200]));
});

test("all Users replicas frozen: claims answer 503 in time, then at once; thawed, each is paid once", async () => {
  const promotions = await Promise.all(
    Array.from({ length: 18 }, () => createPromotion(staff.token, { amountMinor: 5 })),
  );
  const claimant = await registerPlayer();
  for (const { id } of promotions) await assign(staff.token, id, [claimant.id]);
  const requests = promotions.map(({ id }): [string, ApiRequest] => [
    "POST /promotions/api/v1/promotions/claim",
    { token: claimant.token, json: { promotionId: id } },
  ]);
  await freeze("users");
  expectUnavailableInTime(await send(requests, 1), "balance_unavailable");
  const later = await send(requests, 1);
  expectUnavailableInTime(later, "balance_unavailable");
  expectMostlyAtOnce(later);
  await thaw();
  for (const { id } of promotions) {
    await until("the claim is paid", async () => [200, 201].includes((await claim(claimant, id)).status), {
      timeoutMs: 20_000,
    });
  }
  expect(await balanceOf(claimant)).toBe(5 * promotions.length);
});

test("Redis frozen: profiles do not wait for it, logins answer 503; thawed, logins work", async () => {
  const profile: [string, ApiRequest] = ["GET /users/api/v1/users/me", { token: player.token }];
  const login: [string, ApiRequest] = [
    "POST /users/api/v1/auth/login",
    { json: { email: player.email, password: PASSWORD } },
  ];
  await freeze("redis");
  const [first, refused] = await Promise.all([send([profile], 6), send([login], 3)]);
  for (const answer of first) expect(answer).toMatchObject({ status: 200 });
  expectMostlyAtOnce(first);
  expectUnavailableInTime(refused, "sessions_unavailable");
  await thaw();
  await until("logins work", () => logIn(player.email, PASSWORD));
});

test("the document database frozen: its requests answer 503 in time, then at once; thawed, what came meanwhile is pushed", async () => {
  const promotion = await createPromotion(staff.token);
  const socket = await openSocket(player.token);
  await socket.untilReady();
  const own = { token: player.token };
  const requests: [string, ApiRequest][] = [
    ["GET /notifications/api/v1/notifications", own],
    ["POST /notifications/api/v1/notifications/read-all", own],
  ];
  await freeze("mongodb");
  await assign(staff.token, promotion.id, [player.id]);
  expectUnavailableInTime(await send(requests, 9), "database_unavailable");
  const later = await send(requests, 9);
  expectUnavailableInTime(later, "database_unavailable");
  expectMostlyAtOnce(later);
  await thaw();
  await until("the push comes after all", () => socket.frames.some((f) => f.content?.promotionId === promotion.id), {
    timeoutMs: 30_000,
  });
  socket.close();
  await until("the list works", async () => (await timed(...(requests[0] as [string, ApiRequest]))).status === 200);
});
