import { beforeAll, expect, test } from "vitest";
import {
  type Account,
  type ApiResponse,
  api,
  createPromotion,
  logIn,
  logInAdmin,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { openSocket } from "../support/socket.ts";

import { until } from "../support/until.ts";

/** What is promised: within so many milliseconds every replica of every service refuses the tokens of a session that ended. */
const HEARD_WITHIN_MS = 2_000;
/** More than there are replicas, so that each is asked. */
const REPLICAS = 6;

let adminToken: string;
beforeAll(async () => {
  adminToken = await logInAdmin();
});

const setStatus = (account: Account, status: string) =>
  api(`PATCH /users/api/v1/users/${account.id}/status`, { token: adminToken, json: { status, reason: "a test" } });

const readsOf = ({ id }: Account): string[] => [
  "GET /users/api/v1/users/me",
  "GET /users/api/v1/transactions",
  `GET /promotions/api/v1/promotions/players/${id}`,
  "GET /notifications/api/v1/notifications",
];

/** Asks every route so often that each replica is asked. */
const ask = (routes: readonly string[], token: string): Promise<ApiResponse[]> =>
  Promise.all(routes.flatMap((route) => Array.from({ length: REPLICAS }, () => api(route, { token }))));

const statusesOf = (answers: readonly ApiResponse[]) => [...new Set(answers.map(({ status }) => status))];

/** Waits until every replica refuses the token. @returns after how many milliseconds */
async function untilRefused(routes: readonly string[], token: string): Promise<number> {
  const startedAt = performance.now();
  await until("every replica has heard of it", async () => {
    const answers = await ask(routes, token);
    return answers.every(({ status, body }) => status === 401 && body.code === "session_revoked");
  });
  return performance.now() - startedAt;
}

test("a session that was logged out is over everywhere within two seconds, and no other one", async () => {
  const player = await registerPlayer();
  const session = await api("POST /users/api/v1/auth/login", {
    json: { email: player.email, password: player.password, tokenDelivery: "body" },
  });
  const { accessToken, refreshToken } = session.body;
  const socket = await openSocket(accessToken);
  await socket.untilReady();
  expect(statusesOf(await ask(readsOf(player), accessToken))).toEqual([200]);
  await api("POST /users/api/v1/auth/logout", { json: { refreshToken } });
  expect(await untilRefused(readsOf(player), accessToken)).toBeLessThan(HEARD_WITHIN_MS);
  expect([await socket.untilClosed(), socket.closeReason]).toEqual([4401, "session_revoked"]);
  const again = await openSocket(accessToken);
  expect([await again.untilClosed(), again.closeReason]).toEqual([4401, "session_revoked"]);
  expect(statusesOf(await ask(readsOf(player), player.token))).toEqual([200]);
});

test("all sessions of a user are over within two seconds, and one that is opened right after is not", async () => {
  const player = await registerPlayer();
  const other = await logIn(player.email, player.password);
  await api("POST /users/api/v1/auth/logout-all", { token: player.token });
  const fresh = await logIn(player.email, player.password);
  const took = await Promise.all([player.token, other].map((token) => untilRefused(readsOf(player), token)));
  expect(Math.max(...took)).toBeLessThan(HEARD_WITHIN_MS);
  expect(statusesOf(await ask(readsOf(player), fresh))).toEqual([200]);
});

test("a suspended player is out within two seconds", async () => {
  const player = await registerPlayer();
  await setStatus(player, "suspended");
  expect(await untilRefused(readsOf(player), player.token)).toBeLessThan(HEARD_WITHIN_MS);
});

test("suspended staff write nothing: not in Users from that moment on, nor anywhere two seconds later", async () => {
  const staff = await registerStaff("admin");
  const player = await registerPlayer();
  const promotion = await createPromotion(staff.token);
  await setStatus(staff, "suspended");
  const inUsers = await Promise.all([
    api(`PATCH /users/api/v1/users/${player.id}/status`, {
      token: staff.token,
      json: { status: "suspended", reason: "out of spite" },
    }),
    api("POST /users/api/v1/auth/register-staff", {
      token: staff.token,
      json: { email: `second-${staff.email}`, password: staff.password, role: "admin" },
    }),
  ]);
  for (const { status } of inUsers) expect([401, 403]).toContain(status);
  expect(await untilRefused(["GET /promotions/api/v1/promotions"], staff.token)).toBeLessThan(HEARD_WITHIN_MS);
  const writes = await Promise.all([
    api("POST /promotions/api/v1/promotions", { token: staff.token, json: promotionInput() }),
    api(`PATCH /promotions/api/v1/promotions/${promotion.id}`, { token: staff.token, json: { status: "paused" } }),
    api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, {
      token: staff.token,
      json: { playerIds: [player.id] },
    }),
  ]);
  expect(statusesOf(writes)).toEqual([401]);
  expect(await api("GET /users/api/v1/users/me", { token: player.token })).toMatchObject({ status: 200 });
});
