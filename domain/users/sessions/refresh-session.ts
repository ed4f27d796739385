import { AppError } from "../../../lib/errors.ts";
import { accountNotActive, emailNotVerified, findUser } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { restrictionOf } from "../second-factors/second-factors.ts";
import type { IssuedSession } from "./issued-session.ts";
import { fingerprint, parseRefreshToken } from "./refresh-token.ts";
import { confirmMissing, findSession, revokeSession, rotateSession, type SessionClient } from "./store.ts";

export interface RefreshSessionInput {
  refreshToken: string;
  /** Where it comes from, as far as it is known. */
  client?: SessionClient;
  /** What only this client knows, and sends again if it gets no answer. */
  idempotencyKey?: string | undefined;
}

/**
 * Exchanges a refresh token for its successor. Role and status are the database's: a user who is suspended since
 * loses the session, and so does a player whose address has to be verified now. What it was opened with is the session's own, so one that was restricted stays so. The user is read
 * before the token is rotated, so that a database that can't be reached costs nobody their session.
 *
 * @throws AppError `refresh_token_invalid`; `refresh_token_reused`, which ends the session; `account_suspended`,
 * `account_self_excluded`, `email_not_verified`, `sessions_unavailable`
 */
export async function refreshSession(ctx: UsersContext, input: RefreshSessionInput): Promise<IssuedSession> {
  const tokens = parseRefreshToken(ctx.refreshTokenKey, input.refreshToken);
  if (tokens === undefined) throw refreshTokenInvalid();
  const { sessionId } = tokens.presented;
  const session = await findSession(ctx, sessionId);
  const user = session === undefined ? undefined : await findUser(ctx.db, session.userId);
  if (session === undefined || user === undefined) {
    await confirmMissing(ctx);
    throw refreshTokenInvalid({ sessionId });
  }
  const logFields = { userId: user.id, sessionId };
  if (user.status !== "active") {
    await revokeSession(ctx, sessionId, user.id);
    throw accountNotActive(user.status, logFields);
  }
  if (ctx.requireVerifiedEmail && user.role === "player" && !user.emailVerified) {
    await revokeSession(ctx, sessionId, user.id);
    throw emailNotVerified(logFields);
  }
  const rotation = await rotateSession(ctx, tokens, user, askerOf(ctx, input));
  switch (rotation.outcome) {
    case "missing":
      await confirmMissing(ctx);
      throw refreshTokenInvalid(logFields);
    case "reused":
      // On one server. Who is told that they can't be sure asks again, and where it was lost it is found again.
      await revokeSession(ctx, sessionId, user.id);
      throw new AppError(
        "unauthenticated",
        "refresh_token_reused",
        "This refresh token was used before, so the session was ended for safety; log in again.",
        { logFields },
      );
    case "rotated":
      if (rotation.lost > 0)
        ctx.log.warn({ ...logFields, lost: rotation.lost }, "Redis had lost rotations of a session");
      return {
        user: { id: user.id, role: user.role },
        sessionId,
        restriction: restrictionOf(ctx.secondFactors, user.role, session.secondFactor),
        refreshToken: tokens.successor.text,
        expiresAt: rotation.expiresAt,
      };
  }
}

/**
 * A key is known to this client alone. Without one, a client is recognised by where it comes from, which proves nothing, but keeps
 * others out who have got at the token alone.
 */
function askerOf(ctx: UsersContext, { client, idempotencyKey }: RefreshSessionInput): string {
  if (idempotencyKey !== undefined) return fingerprint(ctx.refreshTokenKey, ["key", idempotencyKey]);
  if (client === undefined || client.address === "") return "";
  return fingerprint(ctx.refreshTokenKey, ["client", client.userAgent, client.address]);
}

/**
 * @param logFields what is known of a token that we issued; undefined for any other
 * @returns the error for a token that is not ours or whose session has ended
 */
export function refreshTokenInvalid(logFields?: { userId?: string; sessionId: string }): AppError {
  return new AppError(
    "unauthenticated",
    "refresh_token_invalid",
    "The refresh token is not valid or the session has ended; log in again.",
    logFields === undefined ? {} : { logFields },
  );
}
