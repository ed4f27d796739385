import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createRandom } from "../../../tests/faults/random.ts";
import { createPlayer, createUsersContext } from "../../../tests/support/users-service.ts";
import type { User } from "../accounts/user.ts";
import { refreshSession } from "./refresh-session.ts";
import { firstRefreshToken } from "./refresh-token.ts";
import { storeSession } from "./store.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  player = await createPlayer(ctx);
});
afterAll(() => ctx.stop());

const CLIENT = { userAgent: "Browser/1.0", address: "203.0.113.7" };
const refreshByNew = async (refreshToken: string) =>
  (await refreshSession(ctx, { refreshToken, client: CLIENT })).refreshToken;
const openByNew = async (owner = player) => {
  const token = firstRefreshToken(ctx.refreshTokenKey);
  await storeSession(ctx, token, owner, CLIENT);
  return token.text;
};
const keyOf = (token: string) => `session:${token.split(".")[0]}`;

/**
 * What the version before this one does, as it was on 2026-11-30: it knows of no marks of tokens to come, and of nobody who asks
 * again.
 */
const OLD_NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function decimal(number) return string.format('%.0f', number) end
`;
const OLD_TOUCH = `
local function touch(sessionKey, userSessionsKey, sessionId, expiresAt, idle)
  local endsAt = decimal(math.min(tonumber(expiresAt), now + idle))
  redis.call('PEXPIREAT', sessionKey, endsAt)
  redis.call('ZADD', userSessionsKey, endsAt, sessionId)
end
`;
const OLD_OPEN = `${OLD_NOW}${OLD_TOUCH}
local expiresAt = decimal(now + ARGV[4])
redis.call('HSET', KEYS[1], 'userId', ARGV[2], 'current', ARGV[3], 'generation', 0, 'createdAt', decimal(now),
  'rotatedAt', decimal(now), 'expiresAt', expiresAt, 'userAgent', '', 'address', '')
touch(KEYS[1], KEYS[2], ARGV[1], expiresAt, ARGV[5])
redis.call('PEXPIREAT', KEYS[2], expiresAt)
return expiresAt
`;
const OLD_ROTATE = `${OLD_NOW}${OLD_TOUCH}
local session = redis.call('HMGET', KEYS[1], 'current', 'previous', 'rotatedAt', 'expiresAt')
local current, previous, rotatedAt, expiresAt = session[1], session[2], session[3], session[4]
if not current then return { 'missing' } end
if current == ARGV[3] then
  redis.call('HSET', KEYS[1], 'previous', current, 'current', ARGV[4], 'rotatedAt', decimal(now))
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
  touch(KEYS[1], KEYS[2], ARGV[1], expiresAt, ARGV[6])
  return { 'rotated', expiresAt }
end
if previous == ARGV[3] and now - rotatedAt <= tonumber(ARGV[5]) then return { 'rotated', expiresAt } end
redis.call('DEL', KEYS[1])
return { 'reused' }
`;
const oldHmac = (purpose: "seal" | "successor", sessionId: string, value: Buffer) =>
  createHmac("sha256", ctx.refreshTokenKey).update(`${purpose}\0${sessionId}\0`).update(value).digest();
function oldToken(sessionId: string, value: Buffer) {
  const secret = Buffer.concat([value, oldHmac("seal", sessionId, value).subarray(0, 16)]).toString("base64url");
  return { text: `${sessionId}.${secret}`, hash: createHash("sha256").update(secret).digest("hex") };
}
const oldKeys = (sessionId: string, userId: string) =>
  [`session:${sessionId}`, `user-sessions:${userId}`, sessionId, userId] as const;

async function openByOld({ id } = player): Promise<string> {
  const sessionId = newId();
  const { text, hash } = oldToken(sessionId, randomBytes(32));
  await ctx.redis.eval(OLD_OPEN, 2, ...oldKeys(sessionId, id), hash, 30 * 86_400_000, 14 * 86_400_000);
  return text;
}

async function refreshByOld(text: string): Promise<string> {
  const [, sessionId = "", secret = ""] = /^([0-9a-f-]{36})\.([A-Za-z0-9_-]{64})$/.exec(text) ?? [];
  const bytes = Buffer.from(secret, "base64url");
  const value = bytes.subarray(0, 32);
  if (!timingSafeEqual(bytes.subarray(32), oldHmac("seal", sessionId, value).subarray(0, 16)))
    throw new Error("invalid");
  const successor = oldToken(sessionId, oldHmac("successor", sessionId, value));
  const userId = (await ctx.redis.hget(`session:${sessionId}`, "userId")) ?? "";
  const args = [oldToken(sessionId, value).hash, successor.hash, 5_000, 14 * 86_400_000];
  const [outcome] = (await ctx.redis.eval(OLD_ROTATE, 2, ...oldKeys(sessionId, userId), ...args)) as [string];
  if (outcome !== "rotated") throw new Error(outcome);
  return successor.text;
}

test("a session of the version before goes on, and so does one of this version when that one is taken back", async () => {
  let old = await openByOld();
  for (let count = 0; count < 3; count++) old = await refreshByOld(old);
  let token = old;
  for (let count = 0; count < 3; count++) token = await refreshByNew(token);
  await expect(refreshByNew(old)).rejects.toMatchObject({ code: "refresh_token_reused" });

  token = await openByNew();
  for (let count = 0; count < 3; count++) token = await refreshByNew(token);
  for (let count = 0; count < 3; count++) token = await refreshByOld(token);
  expect(await ctx.redis.hget(keyOf(token), "generation")).toBe("6");
});

test("a rotation that Redis lost is known by a token from before, once the session was refreshed here", async () => {
  const first = await refreshByNew(await openByOld());
  const before = await ctx.redis.hgetall(keyOf(first));
  const second = await refreshByNew(first);
  await ctx.redis.hset(keyOf(first), before);
  expect(await refreshByNew(second)).not.toBe(second);
});

test("what this version wrote counts for nothing once the other has rotated", async () => {
  const first = await openByNew();
  const second = await refreshByNew(first);
  const third = await refreshByOld(await refreshByOld(second));
  await ctx.redis.hincrby(keyOf(first), "rotatedAt", -10_000);
  // The marks of here would have it for a token to come, and who asks for one who asks again.
  await expect(refreshByNew(second)).rejects.toMatchObject({ code: "refresh_token_reused" });
  await expect(refreshByNew(third)).rejects.toMatchObject({ code: "refresh_token_invalid" });
});

test("replicas of both versions side by side fork nothing and log nobody out, whoever of them is asked", async () => {
  const random = createRandom(1, "versions");
  const owners = await Promise.all(Array.from({ length: 10 }, () => createPlayer(ctx)));
  // One session of each owner at a time: more would wait for the database's connections for too long.
  await Promise.all(
    owners.map(async (owner) => {
      for (let count = 0; count < 20; count++) {
        let token = random.chance(0.5) ? await openByOld(owner) : await openByNew(owner);
        for (let generation = 1; generation <= 5; generation++) {
          const presented = token;
          const askers = Array.from({ length: random.integer(1, 8) }, () => random.pick([refreshByOld, refreshByNew]));
          const successors = new Set(await Promise.all(askers.map((refresh) => refresh(presented))));
          expect(successors.size).toBe(1);
          [token] = [...successors] as [string];
          expect(await ctx.redis.hget(keyOf(token), "generation")).toBe(String(generation));
        }
      }
    }),
  );
});
