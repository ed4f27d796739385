import { unavailable } from "../../../lib/errors.ts";
import { isRedisUnavailable, type Redis } from "../../../lib/redis.ts";
import type { UsersContext } from "../context.ts";
import type { RefreshToken } from "./refresh-token.ts";
import { OPEN, REVOKE_ALL, REVOKE_ONE, ROTATE } from "./scripts.ts";

/** Absolute: rotating does not extend it. */
const SESSION_LIFETIME_MS = 30 * 24 * 3_600_000;
/** How long the immediate predecessor of a token is taken for a second tab or a lost answer, not for a theft. */
const GRACE_MS = 5_000;

const SESSION_PREFIX = "session:";
const sessionKey = (sessionId: string) => SESSION_PREFIX + sessionId;
const userSessionsKey = (userId: string) => `user-sessions:${userId}`;

type SessionsContext = Pick<UsersContext, "redis">;

/** @throws AppError `sessions_unavailable` when Redis can't do it now; a broken script stays a defect */
async function attempt<T>(ctx: SessionsContext, command: (redis: Redis) => Promise<T>): Promise<T> {
  try {
    return await command(ctx.redis);
  } catch (error) {
    if (isRedisUnavailable(error)) throw unavailable("sessions_unavailable", "The store of sessions", error);
    throw error;
  }
}

/**
 * Stores a new session. Like all functions here it throws AppError `sessions_unavailable` when Redis can't be reached.
 *
 * @param token the session's first token
 * @returns when the session ends, whatever happens
 */
export async function storeSession(ctx: SessionsContext, token: RefreshToken, userId: string): Promise<Date> {
  const expiresAt = await attempt(ctx, (redis) =>
    redis.eval(
      OPEN,
      2,
      sessionKey(token.sessionId),
      userSessionsKey(userId),
      token.sessionId,
      userId,
      token.hash,
      SESSION_LIFETIME_MS,
    ),
  );
  return new Date(Number(expiresAt));
}

/** @returns whose session it is, null if there is none (any more) */
export async function findSessionUser(ctx: SessionsContext, sessionId: string): Promise<string | null> {
  return attempt(ctx, (redis) => redis.hget(sessionKey(sessionId), "userId"));
}

/**
 * Puts the successor in the place of the presented token. The immediate predecessor, presented again within GRACE_MS,
 * gets the same answer; any other older one ends the session.
 *
 * @returns "rotated" and when the session ends; "reused": it was revoked just now; "missing": it is gone
 */
export async function rotateSession(
  ctx: SessionsContext,
  tokens: { presented: RefreshToken; successor: RefreshToken },
  userId: string,
): Promise<{ outcome: "rotated"; expiresAt: Date } | { outcome: "reused" | "missing" }> {
  const { presented, successor } = tokens;
  const [outcome, expiresAt] = (await attempt(ctx, (redis) =>
    redis.eval(
      ROTATE,
      2,
      sessionKey(presented.sessionId),
      userSessionsKey(userId),
      presented.sessionId,
      userId,
      presented.hash,
      successor.hash,
      GRACE_MS,
    ),
  )) as ["rotated", string] | ["reused" | "missing"];
  return outcome === "rotated" ? { outcome, expiresAt: new Date(Number(expiresAt)) } : { outcome };
}

/** Ends a session and tells everybody; does nothing if it has ended. */
export async function revokeSession(ctx: SessionsContext, sessionId: string, userId: string): Promise<void> {
  await attempt(ctx, (redis) =>
    redis.eval(REVOKE_ONE, 2, sessionKey(sessionId), userSessionsKey(userId), sessionId, userId),
  );
}

/** Ends all sessions of a user and tells everybody. */
export async function revokeSessionsOf(ctx: SessionsContext, userId: string): Promise<void> {
  await attempt(ctx, (redis) => redis.eval(REVOKE_ALL, 1, userSessionsKey(userId), userId, SESSION_PREFIX));
}
