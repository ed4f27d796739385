import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { followRevocations, type Revocations } from "../../../lib/auth/revocations.ts";
import { newId } from "../../../lib/ids.ts";
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
import { endSession } from "./end-session.ts";
import type { IssuedSession } from "./issued-session.ts";
import { logOut } from "./log-out.ts";
import { logOutEverywhere } from "./log-out-everywhere.ts";
import { type RefreshSessionInput, refreshSession } from "./refresh-session.ts";
import { firstRefreshToken, parseRefreshToken } from "./refresh-token.ts";
import { findSessions, rotateSession, type SessionClient, storeSession } from "./store.ts";

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

const open = () => logIn(ctx, { email: player.email, password: PASSWORD });
const refresh = (refreshToken: string) => refreshSession(ctx, { refreshToken });
const key = () => `session:${session.sessionId}`;
/** Lets time pass since the last rotation, by the only clock that counts. */
const passes = (ms: number) => ctx.redis.hincrby(key(), "rotatedAt", -ms);
/** Lets the grace of the last rotation pass. */
const endGrace = () => passes(5_001);
type Asker = Omit<RefreshSessionInput, "refreshToken">;
const withKey = (client: SessionClient): Asker => ({ client, idempotencyKey: "key-1" });
const invalid = { kind: "unauthenticated", code: "refresh_token_invalid" };
const reused = { kind: "unauthenticated", code: "refresh_token_reused" };
const now = () => Math.floor(Date.now() / 1_000);
/** @returns whether a token of this session that was signed at `issuedAt`, in seconds, is refused */
const isRevoked = (sessionId: string, issuedAt = now()) => revocations.has({ id: player.id, sessionId, issuedAt });
const untilRevoked = (sessionId: string, issuedAt = now()) =>
  until("the revocation is heard of", () => isRevoked(sessionId, issuedAt));

test("a session rotates through its generations and keeps its end", async () => {
  let current = session;
  for (let generation = 1; generation <= 3; generation++) {
    const next = await refresh(current.refreshToken);
    expect(next.refreshToken).not.toBe(current.refreshToken);
    expect(next).toMatchObject({ sessionId: session.sessionId, user: session.user, expiresAt: session.expiresAt });
    expect(await ctx.redis.hget(key(), "generation")).toBe(String(generation));
    current = next;
  }
  const lifetimeMs = session.expiresAt.getTime() - Date.now();
  expect(lifetimeMs / 86_400_000).toBeCloseTo(30, 1);
  expect(Number(await ctx.redis.hget(key(), "expiresAt"))).toBe(session.expiresAt.getTime());
});

test("refreshes of one token at once get the same successor, and the session moves on by one", async () => {
  const results = await Promise.all(Array.from({ length: 10 }, () => refresh(session.refreshToken)));
  expect(new Set(results.map(({ refreshToken }) => refreshToken)).size).toBe(1);
  expect(await ctx.redis.hget(key(), "generation")).toBe("1");
  const successor = results[0]?.refreshToken ?? "";
  expect((await refresh(successor)).refreshToken).not.toBe(successor);
});

test("the predecessor is taken for a second tab within the grace, and ends the session after it", async () => {
  const { refreshToken: successor } = await refresh(session.refreshToken);
  expect((await refresh(session.refreshToken)).refreshToken).toBe(successor);
  await endGrace();
  await expect(refresh(session.refreshToken)).rejects.toMatchObject(reused);
  await untilRevoked(session.sessionId);
  await expect(refresh(successor)).rejects.toMatchObject(invalid);
});

test("a token two generations old ends the session, even within the grace", async () => {
  const second = await refresh(session.refreshToken);
  const third = await refresh(second.refreshToken);
  await expect(refresh(session.refreshToken)).rejects.toMatchObject(reused);
  await expect(refresh(third.refreshToken)).rejects.toMatchObject(invalid);
});

const phone = { userAgent: "Phone/1.0", address: "203.0.113.7" };
const ELSEWHERE = { ...phone, address: "198.51.100.9" };

test.each<[who: string, first: Asker, again: Asker, code: string | undefined]>([
  ["the same client", { client: phone }, { client: phone }, undefined],
  ["another address", { client: phone }, { client: ELSEWHERE }, "refresh_token_reused"],
  ["another user agent", { client: phone }, { client: { ...phone, userAgent: "" } }, "refresh_token_reused"],
  ["nobody knows who", {}, {}, "refresh_token_reused"],
  ["the same key, elsewhere", withKey(phone), withKey(ELSEWHERE), undefined],
  ["the same client without the key", withKey(phone), { client: phone }, "refresh_token_reused"],
  ["with a key that was not sent before", { client: phone }, withKey(phone), "refresh_token_reused"],
  ["another key", withKey(phone), { client: phone, idempotencyKey: "key-2" }, "refresh_token_reused"],
])("an answer that was lost is given again to who asked: %s", async (_who, first, again, code) => {
  const ask = (asker: Asker) => refreshSession(ctx, { refreshToken: session.refreshToken, ...asker });
  const { refreshToken: successor } = await ask(first);
  await passes(25_000);
  const answer = ask(again);
  if (code !== undefined) return expect(answer).rejects.toMatchObject({ code });
  expect((await answer).refreshToken).toBe(successor);
  await passes(5_001);
  await expect(ask(again)).rejects.toMatchObject(reused);
});

test("it is not given again once the successor was used", async () => {
  const ask = (refreshToken: string) => refreshSession(ctx, { refreshToken, client: phone });
  await ask((await ask(session.refreshToken)).refreshToken);
  await expect(ask(session.refreshToken)).rejects.toMatchObject(reused);
});

test("a token of rotations that Redis has lost is ours, and brings the session forward; more than four are too many", async () => {
  const before = await ctx.redis.hgetall(key());
  const lose = () => ctx.redis.hset(key(), before);
  const chain = [session.refreshToken];
  for (let index = 0; index < 6; index++) chain.push((await refresh(chain.at(-1) ?? "")).refreshToken);
  for (const lost of [1, 2, 3, 4]) {
    await lose();
    expect((await refresh(chain[lost] ?? "")).refreshToken).toBe(chain[lost + 1]);
    expect(await ctx.redis.hget(key(), "generation")).toBe(String(lost + 1));
    // It is a rotation like any other: the predecessor is taken for a second tab, what is before it is not.
    expect((await refresh(chain[lost] ?? "")).refreshToken).toBe(chain[lost + 1]);
  }
  await expect(refresh(chain[3] ?? "")).rejects.toMatchObject(reused);
  await lose();
  await expect(refresh(chain[5] ?? "")).rejects.toMatchObject(reused);
});

test.each([
  ["empty", () => ""],
  ["not a token", () => "not-a-token"],
  ["another secret for a known session", () => `${session.sessionId}.${"A".repeat(64)}`],
  ["a token of another session", () => session.refreshToken.replace(session.sessionId, newId())],
  ["sealed by another key", () => firstRefreshToken("another key").text],
  ["of a session that never was", () => firstRefreshToken(ctx.refreshTokenKey).text],
])("%s is no refresh token, and harms no session", async (_, token) => {
  await expect(refresh(token())).rejects.toMatchObject(invalid);
  expect((await refresh(session.refreshToken)).sessionId).toBe(session.sessionId);
});

test("Redis holds no token, only hashes", async () => {
  const { refreshToken } = await refresh(session.refreshToken);
  const stored = Object.values(await ctx.redis.hgetall(key())).join(" ");
  for (const token of [session.refreshToken, refreshToken]) expect(stored).not.toContain(token.split(".")[1]);
  expect(stored).toMatch(/[0-9a-f]{64}/);
});

test("logging out ends this session only, can be repeated, and works with any generation of the token", async () => {
  const other = await open();
  await refresh(session.refreshToken);
  await logOut(ctx, { refreshToken: session.refreshToken });
  await logOut(ctx, { refreshToken: session.refreshToken });
  await logOut(ctx, { cookie: "not-a-token" });
  await expect(logOut(ctx, { refreshToken: "not-a-token", cookie: other.refreshToken })).rejects.toMatchObject(invalid);
  await untilRevoked(session.sessionId);
  await expect(refresh(session.refreshToken)).rejects.toMatchObject(invalid);
  expect((await refresh(other.refreshToken)).sessionId).toBe(other.sessionId);
});

test("logging out everywhere ends all sessions of the user and nobody else's", async () => {
  const others = await Promise.all([open(), open()]);
  const stranger = await createPlayer(ctx);
  const strangers = await logIn(ctx, { email: stranger.email, password: PASSWORD });
  await logOutEverywhere(ctx, { userId: player.id });
  await Promise.all([session, ...others].map(({ sessionId }) => untilRevoked(sessionId)));
  // Of a session that Redis had forgotten, too; but not what was signed since, by whatever clock.
  await untilRevoked(newId(), now() - 60);
  expect(isRevoked(newId())).toBe(false);
  expect(isRevoked((await open()).sessionId)).toBe(false);
  for (const { refreshToken } of [session, ...others]) {
    await expect(refresh(refreshToken)).rejects.toMatchObject(invalid);
  }
  expect((await refresh(strangers.refreshToken)).user.id).toBe(stranger.id);
});

test("a login that waits for its hash while the account is suspended gets nothing", async () => {
  // Right before the session is stored, which is after the password was checked.
  const redis = new Proxy(ctx.redis, {
    get: (target, property) => {
      if (property !== "eval") return Reflect.get(target, property);
      return async (...call: Parameters<typeof target.eval>) => {
        await ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, player.id));
        await logOutEverywhere(ctx, { userId: player.id });
        return target.eval(...call);
      };
    },
  });
  const before = await ctx.redis.keys("session:*");
  await expect(logIn({ ...ctx, redis }, { email: player.email, password: PASSWORD })).rejects.toMatchObject({
    code: "account_suspended",
  });
  const opened = (await ctx.redis.keys("session:*")).filter((key) => !before.includes(key));
  const owners = await Promise.all(opened.map((key) => ctx.redis.hget(key, "userId")));
  expect(owners).not.toContain(player.id);
});

test("who follows later, or lost Redis meanwhile, learns what was missed", async () => {
  await logOut(ctx, { refreshToken: session.refreshToken });
  const late = await followRevocations(connectRedis(servers.redisUrl, silentLog), silentLog);
  const ended = { id: player.id, sessionId: session.sessionId, issuedAt: now() };
  expect(late.has(ended)).toBe(true);
  expect(late.isHearing()).toBe(true);
  await late.stop();
  const deaf = await followRevocations(unreachableRedis(), silentLog, { waitMs: 50 });
  expect(deaf.has(ended)).toBe(false);
  expect(deaf.isHearing()).toBe(false);
  await deaf.stop();
});

test("a player who was suspended since can't refresh, and the session is gone for good", async () => {
  await ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, player.id));
  await expect(refresh(session.refreshToken)).rejects.toMatchObject({ code: "account_suspended" });
  await untilRevoked(session.sessionId);
  await ctx.db.update(users).set({ status: "active" }).where(eq(users.id, player.id));
  await expect(refresh(session.refreshToken)).rejects.toMatchObject(invalid);
});

test("the role at a refresh is the database's, not the one of the login", async () => {
  await ctx.db.update(users).set({ role: "staff" }).where(eq(users.id, player.id));
  expect((await refresh(session.refreshToken)).user.role).toBe("staff");
});

test("an unknown e-mail address and a wrong password have one answer", async () => {
  const wrong = { kind: "unauthenticated", code: "invalid_credentials" };
  const errors = await Promise.all(
    [
      { email: player.email, password: "not-the-password" },
      { email: `nobody-${player.email}`, password: PASSWORD },
    ].map((input) => logIn(ctx, input).catch((error: Error) => error)),
  );
  for (const error of errors) expect(error).toMatchObject(wrong);
  expect((errors[0] as Error).message).toBe((errors[1] as Error).message);
});

test("the e-mail address of a login fits in any case", async () => {
  const { user } = await logIn(ctx, { email: player.email.toUpperCase(), password: PASSWORD });
  expect(user).toEqual({ id: player.id, role: "player" });
});

test.each([
  ["suspended", "account_suspended"],
  ["self_excluded", "account_self_excluded"],
] as const)("who is %s learns it only with the right password", async (status, code) => {
  await ctx.db.update(users).set({ status }).where(eq(users.id, player.id));
  await expect(open()).rejects.toMatchObject({ kind: "permission_denied", code });
  await expect(logIn(ctx, { email: player.email, password: "not-the-password" })).rejects.toMatchObject({
    code: "invalid_credentials",
  });
});

test("without Redis, login, refresh and logout say that sessions are unavailable", async () => {
  const redis = unreachableRedis();
  try {
    const without = { ...ctx, ...sessionsOn(redis) };
    const unavailable = { kind: "unavailable", code: "sessions_unavailable", retryAfterSeconds: 2 };
    const { refreshToken } = session;
    await expect(logIn(without, { email: player.email, password: PASSWORD })).rejects.toMatchObject(unavailable);
    await expect(refreshSession(without, { refreshToken })).rejects.toMatchObject(unavailable);
    await expect(logOut(without, { refreshToken })).rejects.toMatchObject(unavailable);
    await expect(logOutEverywhere(without, { userId: player.id })).rejects.toMatchObject(unavailable);
  } finally {
    redis.disconnect();
  }
});

const DAY_MS = 86_400_000;
const client = { userAgent: "Test/1.0", address: "203.0.113.7" };

test.each([
  ["player", 14 * DAY_MS],
  ["staff", DAY_MS / 2],
  ["admin", DAY_MS / 2],
] as const)(
  "a session of a %s that is not used ends, and each refresh puts that off, but never beyond 30 days",
  async (role, idleMs) => {
    const user = { id: newId(), role };
    const token = firstRefreshToken(ctx.refreshTokenKey);
    const expiresAt = await storeSession(ctx, token, user, client);
    const sessionKey = `session:${token.sessionId}`;
    const idleFor = async () => Number(await ctx.redis.pttl(sessionKey));
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(30 * DAY_MS - 60_000);
    expect(await idleFor()).toBeLessThanOrEqual(idleMs);
    await ctx.redis.pexpire(sessionKey, 60_000);
    const tokens = parseRefreshToken(ctx.refreshTokenKey, token.text);
    await rotateSession(ctx, tokens as NonNullable<typeof tokens>, user, "");
    expect(await idleFor()).toBeGreaterThan(idleMs - 60_000);
    await ctx.redis.hset(sessionKey, "expiresAt", Date.now() + 5_000);
    const next = parseRefreshToken(ctx.refreshTokenKey, tokens?.successor.text ?? "");
    await rotateSession(ctx, next as NonNullable<typeof next>, user, "");
    expect(await idleFor()).toBeLessThanOrEqual(5_000);
  },
);

test("a user has at most 20 sessions: the one that was not used for longest ends, and is revoked", async () => {
  const user = { id: newId(), role: "player" } as const;
  const tokens = Array.from({ length: 20 }, () => firstRefreshToken(ctx.refreshTokenKey));
  for (const token of tokens) await storeSession(ctx, token, user, client);
  const [used, unused] = tokens.map(({ text }) => parseRefreshToken(ctx.refreshTokenKey, text));
  // The others were opened in the same millisecond, or a later one.
  await ctx.redis.zincrby(`user-sessions:${user.id}`, -1, unused?.presented.sessionId ?? "");
  await rotateSession(ctx, used as NonNullable<typeof used>, user, "");
  await storeSession(ctx, firstRefreshToken(ctx.refreshTokenKey), user, client);
  const ids = (await findSessions(ctx, user.id)).map(({ id }) => id);
  expect(ids).toHaveLength(20);
  expect(ids).toContain(used?.presented.sessionId);
  expect(ids).not.toContain(unused?.presented.sessionId);
  await until("it is told", () =>
    revocations.has({ id: user.id, sessionId: unused?.presented.sessionId ?? "", issuedAt: now() }),
  );
});

test("a user sees where and when their sessions were opened, and ends single ones, but not another's", async () => {
  const other = await logIn(ctx, { email: player.email, password: PASSWORD, client });
  const sessions = await findSessions(ctx, player.id);
  expect(sessions).toEqual([
    { id: other.sessionId, createdAt: expect.any(Date), lastUsedAt: expect.any(Date), ...client },
    { id: session.sessionId, createdAt: expect.any(Date), lastUsedAt: expect.any(Date), userAgent: "", address: "" },
  ]);
  const end = (userId: string) => endSession(ctx, { userId, sessionId: other.sessionId });
  const notFound = { kind: "not_found", code: "session_not_found" };
  await expect(end(newId())).rejects.toMatchObject(notFound);
  expect((await refresh(other.refreshToken)).sessionId).toBe(other.sessionId);
  await end(player.id);
  await expect(end(player.id)).rejects.toMatchObject(notFound);
  await untilRevoked(other.sessionId);
  expect((await findSessions(ctx, player.id)).map(({ id }) => id)).toEqual([session.sessionId]);
});
