import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { followRevocations, type Revocations } from "../../../lib/auth/revocations.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { connectRedis } from "../../../lib/redis.ts";
import { servers } from "../../../tests/support/servers.ts";
import { until } from "../../../tests/support/until.ts";
import {
  createPlayer,
  createUsersContext,
  logIn,
  PASSWORD,
  sessionsOn,
  silentLog,
  unreachableRedis,
} from "../../../tests/support/users-service.ts";
import type { User } from "../accounts/user.ts";
import type { IssuedSession } from "../sessions/issued-session.ts";
import { FAILURES_PER_ACCOUNT } from "../sessions/login-attempts.ts";
import { refreshSession } from "../sessions/refresh-session.ts";
import { type ChangePasswordInput, changePassword } from "./change-password.ts";

const NEW = "another-password-of-mine";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let revocations: Revocations;
let player: User;
let session: IssuedSession;
beforeAll(async () => {
  ctx = await createUsersContext();
  revocations = await followRevocations(connectRedis(servers.redisUrl, silentLog), silentLog);
});
afterAll(async () => {
  await revocations.stop();
  await ctx.stop();
});
beforeEach(async () => {
  player = await createPlayer(ctx);
  session = await open();
});

const open = (password = PASSWORD) => logIn(ctx, { email: player.email, password });
const change = (overrides: Partial<ChangePasswordInput> = {}, context = ctx) =>
  changePassword(context, {
    userId: player.id,
    sessionId: session.sessionId,
    currentPassword: PASSWORD,
    newPassword: NEW,
    address: "",
    ...overrides,
  });

test("the new password is the one to log in with, and all sessions but this one end", async () => {
  const other = await open();
  await change();
  const told = async () =>
    (await ctx.db.select().from(outbox).where(eq(outbox.key, player.id))).map(({ event }) => event);
  expect(await told()).toContainEqual(
    expect.objectContaining({ type: "ACCOUNT", data: { kind: "password_changed" }, source: "/users" }),
  );
  await expect(open()).rejects.toMatchObject({ code: "invalid_credentials" });
  expect((await open(NEW)).user.id).toBe(player.id);
  expect((await refreshSession(ctx, { refreshToken: session.refreshToken })).sessionId).toBe(session.sessionId);
  await expect(refreshSession(ctx, { refreshToken: other.refreshToken })).rejects.toMatchObject({
    code: "refresh_token_invalid",
  });
  const issuedAt = Math.floor(Date.now() / 1_000);
  await until("the other one's tokens are refused", () =>
    revocations.has({ id: player.id, sessionId: other.sessionId, issuedAt }),
  );
  expect(revocations.has({ id: player.id, sessionId: session.sessionId, issuedAt })).toBe(false);
});

test("who does not know the current one changes nothing, and can't guess it either", async () => {
  const wrong = () => change({ currentPassword: "not-the-password" });
  for (let guess = 0; guess < FAILURES_PER_ACCOUNT.points; guess++) {
    await expect(wrong()).rejects.toMatchObject({ kind: "permission_denied", code: "current_password_wrong" });
  }
  await expect(wrong()).rejects.toMatchObject({ kind: "rate_limited", code: "too_many_attempts" });
  await expect(change()).rejects.toMatchObject({ code: "too_many_attempts" });
  expect((await refreshSession(ctx, { refreshToken: session.refreshToken })).sessionId).toBe(session.sessionId);
});

test("of two changes at once one counts, and the other is told", async () => {
  const outcomes = await Promise.allSettled([change({ newPassword: `${NEW} 1` }), change({ newPassword: `${NEW} 2` })]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const winner = outcomes.findIndex(({ status }) => status === "fulfilled") + 1;
  expect((await open(`${NEW} ${winner}`)).user.id).toBe(player.id);
});

test("the own address is no password", async () => {
  for (const newPassword of [player.email, `${player.email.split("@")[0]}2026`]) {
    await expect(change({ newPassword })).rejects.toMatchObject({ code: "password_is_address" });
  }
});

test("while other sessions can't be ended nothing changes", async () => {
  const redis = unreachableRedis();
  try {
    await expect(change({}, { ...ctx, ...sessionsOn(redis) })).rejects.toMatchObject({ code: "sessions_unavailable" });
  } finally {
    redis.disconnect();
  }
  expect((await open()).user.id).toBe(player.id);
});
