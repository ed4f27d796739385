import type { Role } from "../../../lib/auth/principal.ts";
import { unavailable } from "../../../lib/errors.ts";
import { USER_AGENT_LENGTH_MAX } from "../../../lib/events.ts";
import { isRedisUnavailable, type Redis } from "../../../lib/redis.ts";
import type { UsersContext } from "../context.ts";
import type { SecondFactorUsed } from "../second-factors/second-factors.ts";
import type { parseRefreshToken, RefreshToken } from "./refresh-token.ts";
import { LIST, OPEN, REVOKE_ALL, REVOKE_ONE, REVOKE_OTHERS, ROTATE } from "./scripts.ts";

/** Absolute: rotating does not extend it. */
const SESSION_LIFETIME_MS = 30 * 24 * 3_600_000;
/** A session that is not refreshed for so long has ended. */
const PLAYER_IDLE_LIFETIME_MS = 14 * 24 * 3_600_000;
const STAFF_IDLE_LIFETIME_MS = 12 * 3_600_000;
/** So that no account can fill Redis; the one that was not used for longest goes. */
const SESSIONS_PER_USER_MAX = 20;
/** How long the immediate predecessor of a token is taken for a second tab, not for a theft. */
const GRACE_MS = 5_000;
/** And how long for a lost answer, of which whoever got no answer asks again: longer than clients wait for one. */
const ASK_AGAIN_MS = 30_000;

const SESSION_PREFIX = "session:";
const USER_SESSIONS_PREFIX = "user-sessions:";
const sessionKey = (sessionId: string) => SESSION_PREFIX + sessionId;
const userSessionsKey = (userId: string) => USER_SESSIONS_PREFIX + userId;

type SessionsContext = Pick<UsersContext, "redis">;
/** To end sessions: what is answered to have ended must not come back when another Redis takes over. */
type RevokingContext = Pick<UsersContext, "replicatedRedis">;

const idleLifetimeMs = (role: Role) => (role === "player" ? PLAYER_IDLE_LIFETIME_MS : STAFF_IDLE_LIFETIME_MS);

/** Where a session was opened, as far as the client says. */
export interface SessionClient {
  userAgent: string;
  address: string;
}

export interface Session extends SessionClient {
  id: string;
  /** undefined for one that was opened before this was kept */
  createdAt: Date | undefined;
  lastUsedAt: Date;
}

/** @throws AppError `sessions_unavailable` when Redis can't do it now; a broken script stays a defect */
export async function attempt<T>(ctx: SessionsContext, command: (redis: Redis) => Promise<T>): Promise<T> {
  return orUnavailable(() => command(ctx.redis));
}

/** As `attempt`, and done when a replica has it. */
const replicate = (ctx: RevokingContext, ...args: Parameters<RevokingContext["replicatedRedis"]["eval"]>) =>
  orUnavailable(() => ctx.replicatedRedis.eval(...args));

async function orUnavailable<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    if (isRedisUnavailable(error)) throw unavailable("sessions_unavailable", "The store of sessions", error);
    throw error;
  }
}

/**
 * Stores a new session. Like all functions here it throws AppError `sessions_unavailable` when Redis can't be reached.
 *
 * @param token the session's first token
 * @param secondFactor what it was opened with besides the password; that stays with it
 * @returns when the session ends, whatever happens
 */
export async function storeSession(
  ctx: SessionsContext,
  token: RefreshToken,
  user: { id: string; role: Role },
  client: SessionClient,
  secondFactor?: SecondFactorUsed,
): Promise<Date> {
  const expiresAt = await attempt(ctx, (redis) =>
    redis.eval(
      OPEN,
      2,
      sessionKey(token.sessionId),
      userSessionsKey(user.id),
      token.sessionId,
      user.id,
      token.hash,
      SESSION_LIFETIME_MS,
      idleLifetimeMs(user.role),
      SESSIONS_PER_USER_MAX,
      SESSION_PREFIX,
      client.userAgent.slice(0, USER_AGENT_LENGTH_MAX),
      client.address,
      secondFactor ?? "",
      token.marksAhead,
    ),
  );
  return new Date(Number(expiresAt));
}

/** @returns whose session it is, and how and when it was opened; undefined if there is none (any more) */
export async function findSession(
  ctx: SessionsContext,
  sessionId: string,
): Promise<{ userId: string; secondFactor: SecondFactorUsed | undefined; createdAt: Date | undefined } | undefined> {
  const [userId, secondFactor, createdAt] = await attempt(ctx, (redis) =>
    redis.hmget(sessionKey(sessionId), "userId", "secondFactor", "createdAt"),
  );
  if (userId == null) return undefined;
  return {
    userId,
    // A session from before this was kept has none, and one without a factor an empty one.
    secondFactor: secondFactor === "totp" || secondFactor === "recovery_code" ? secondFactor : undefined,
    createdAt: createdAt ? new Date(Number(createdAt)) : undefined,
  };
}

/**
 * Puts the successor in the place of the presented token. The immediate predecessor, presented again within GRACE_MS, or
 * within ASK_AGAIN_MS by who presented it before, gets the same answer; any other older one ends the session. One that Redis
 * does not know yet is of a rotation that a failover has lost: Redis is brought forward.
 *
 * @param asker what the client that asks is recognised by (`fingerprint`); "" if by nothing
 * @returns "rotated", when the session ends, and how many rotations had been lost; "reused": it was revoked just now; "missing":
 * it is gone
 */
export async function rotateSession(
  ctx: SessionsContext,
  tokens: NonNullable<ReturnType<typeof parseRefreshToken>>,
  user: { id: string; role: Role },
  asker: string,
): Promise<{ outcome: "rotated"; expiresAt: Date; lost: number } | { outcome: "reused" | "missing" }> {
  const { presented, successor } = tokens;
  const [outcome, expiresAt, lost] = (await attempt(ctx, (redis) =>
    redis.eval(
      ROTATE,
      2,
      sessionKey(presented.sessionId),
      userSessionsKey(user.id),
      presented.sessionId,
      user.id,
      presented.hash,
      successor.hash,
      GRACE_MS,
      idleLifetimeMs(user.role),
      asker,
      ASK_AGAIN_MS,
      presented.mark,
      successor.marksAhead,
    ),
  )) as ["rotated", string, number] | ["reused" | "missing"];
  return outcome === "rotated" ? { outcome, expiresAt: new Date(Number(expiresAt)), lost } : { outcome };
}

/**
 * Before it is said that a session is not there: that a server knows nothing of it does not mean that the one which takes over
 * knows nothing either.
 */
export async function confirmMissing(ctx: RevokingContext): Promise<void> {
  await replicate(ctx, "return 1", 0);
}

/**
 * Ends a session and tells everybody. Like the other two that end sessions it is done when a replica of Redis has it, if there is
 * one, whether there was anything left to end or not: so whoever got an error repeats it, and is sure.
 *
 * @param userId whose it has to be; anybody's if it is left out
 * @returns whether there was one; one that has ended, or is another's, is none
 */
export async function revokeSession(ctx: RevokingContext, sessionId: string, userId = ""): Promise<boolean> {
  const ended = await replicate(ctx, REVOKE_ONE, 1, sessionKey(sessionId), sessionId, USER_SESSIONS_PREFIX, userId);
  return ended === 1;
}

/** Ends all sessions of a user but one, and tells everybody. */
export async function revokeOtherSessions(ctx: RevokingContext, userId: string, sessionId: string): Promise<void> {
  await replicate(ctx, REVOKE_OTHERS, 1, userSessionsKey(userId), userId, SESSION_PREFIX, sessionId);
}

/** @returns the sessions of a user, the last used first */
export async function findSessions(ctx: SessionsContext, userId: string): Promise<Session[]> {
  const rows = (await attempt(ctx, (redis) => redis.eval(LIST, 1, userSessionsKey(userId), SESSION_PREFIX))) as [
    id: string,
    createdAt: string,
    rotatedAt: string,
    userAgent: string,
    address: string,
  ][];
  return rows
    .map(([id, createdAt, rotatedAt, userAgent, address]) => ({
      id,
      createdAt: createdAt === "" ? undefined : new Date(Number(createdAt)),
      lastUsedAt: new Date(Number(rotatedAt)),
      userAgent,
      address,
    }))
    .sort((a, b) => b.lastUsedAt.getTime() - a.lastUsedAt.getTime());
}

/** Ends all sessions of a user and tells everybody. */
export async function revokeSessionsOf(ctx: RevokingContext, userId: string): Promise<void> {
  await replicate(ctx, REVOKE_ALL, 1, userSessionsKey(userId), userId, SESSION_PREFIX);
}
