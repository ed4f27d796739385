import { beforeAll, expect, test } from "vitest";
import {
  type Account,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  createWelcomeBonus,
  promotionInput,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { killProcess, listProcesses, metricOf, startProcess, stopProcess } from "../support/control.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

const namesOf = async (role: string) =>
  (await listProcesses()).filter((process) => process.role === role).map(({ name }) => name);

async function withoutAll(role: string, work: () => Promise<void>): Promise<void> {
  const names = await namesOf(role);
  expect(names.length).toBeGreaterThan(0);
  await Promise.all(names.map(stopProcess));
  try {
    await work();
  } finally {
    await Promise.all(names.map(startProcess));
  }
}

test("the document database stopped: nothing is lost", async () => {
  const player = await registerPlayer();
  const promotion = await createPromotion(staff.token);
  await withoutAll("mongodb", async () => {
    expect(await assign(staff.token, promotion.id, [player.id])).toMatchObject({ assigned: 1 });
    const list = await api("GET /notifications/api/v1/notifications", { token: player.token });
    expect(list).toMatchObject({ status: 503, body: { code: "database_unavailable" } });
  });
  const socket = await until("the edge is back", () => openSocket(player.token), { timeoutMs: 30_000 });
  await until("the notification is there", () => socket.frames.some((f) => f.content?.promotionId === promotion.id), {
    timeoutMs: 60_000,
  });
  socket.close();
});

test("Redis stopped: players go on, logins say when to try again, staff commit nothing after a while, live pushes come back", async () => {
  const player = await registerPlayer();
  const promotion = await createPromotion(staff.token);
  const socket = await openSocket(player.token);
  await socket.untilReady();
  await withoutAll("redis", async () => {
    expect(await balanceOf(player)).toBe(0);
    await assign(staff.token, promotion.id, [player.id]);
    expect(await claim(player, promotion.id)).toMatchObject({ status: 201 });
    const login = await api("POST /users/api/v1/auth/login", {
      json: { email: player.email, password: player.password },
    });
    expect(login).toMatchObject({ status: 503, body: { code: "sessions_unavailable" } });
    expect(Number(login.headers.get("retry-after"))).toBeGreaterThan(0);
    // Nobody knows any more who has been suspended since.
    const refused = await until(
      "staff are asked to wait",
      async () => {
        const answer = await api("POST /promotions/api/v1/promotions", { token: staff.token, json: promotionInput() });
        return answer.status !== 201 && answer;
      },
      { timeoutMs: 30_000 },
    );
    expect(refused).toMatchObject({ status: 503, body: { code: "revocations_unavailable" } });
    expect(await api("GET /promotions/api/v1/promotions", { token: staff.token })).toMatchObject({ status: 200 });
    expect(await claim(player, promotion.id)).toMatchObject({ status: 200 });
  });
  // At every replica: each comes back to Redis by itself.
  await until("staff may act again", () =>
    Promise.all(Array.from({ length: 6 }, () => createPromotion(staff.token, { status: "draft" }))),
  );
  await until("the push comes after all", () => socket.frames.some((f) => f.content?.promotionId === promotion.id), {
    timeoutMs: 60_000,
  });
  socket.close();
});

test("all Users replicas down in a claim: 503 with Retry-After, and the reconciler finishes it", async () => {
  const player = await registerPlayer();
  const promotion = await createPromotion(staff.token, { amountMinor: 300 });
  await assign(staff.token, promotion.id, [player.id]);
  await withoutAll("users", async () => {
    const refused = await claim(player, promotion.id);
    expect(refused).toMatchObject({ status: 503, body: { code: "balance_unavailable" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await metricOf("claim-reconciler", "claims_claiming")).toBeGreaterThan(0);
  });
  await until("the reconciler has paid", async () => (await balanceOf(player)) === 300, { timeoutMs: 60_000 });
  await until("the assignment says so", async () => {
    return (await untilAssigned(player, promotion.id)).status === "claimed";
  });
  expect(await claim(player, promotion.id)).toMatchObject({ status: 200, body: { balanceMinor: 300 } });
  expect(await balanceOf(player)).toBe(300);
});

test("a worker or replica that is killed is started again, and what it had to do is done", async () => {
  const bonus = await createWelcomeBonus(staff.token);
  const victims = ["users-1", "promotions-1", "gateway-1", "welcome-bonus-1", "notifier-1", "outbox-relay-users-1"];
  const restartsOf = async () =>
    Object.fromEntries((await listProcesses()).map(({ name, restarts, health }) => [name, { restarts, health }]));
  const before = await restartsOf();
  await Promise.all(victims.map((name) => killProcess(name)));
  const player = await until("a player can register", registerPlayer);
  await until("the bonus is assigned", () => untilAssigned(player, bonus.id), { timeoutMs: 60_000 });
  const socket = await until("an edge is there", () => openSocket(player.token));
  await until("the bonus is pushed", () => socket.notifications().length === 1, { timeoutMs: 60_000 });
  socket.close();
  await until("all are back", async () => {
    const after = await restartsOf();
    return victims.every(
      (name) => after[name]?.health === "ready" && after[name].restarts === (before[name]?.restarts ?? 0) + 1,
    );
  });
});
