import type { UsersContext } from "./context.ts";
import { parseRefreshToken } from "./sessions/refresh-token.ts";
import { findSessionUser, revokeSession } from "./sessions/store.ts";

/**
 * Ends the session of a refresh token, whatever its generation. A token that isn't ours, or whose session is gone,
 * has nothing to end and is no error.
 *
 * @throws AppError `sessions_unavailable`
 */
export async function logOut(ctx: UsersContext, input: { refreshToken: string }): Promise<void> {
  const sessionId = parseRefreshToken(ctx.refreshTokenKey, input.refreshToken)?.presented.sessionId;
  if (sessionId === undefined) return;
  const userId = await findSessionUser(ctx, sessionId);
  if (userId !== null) await revokeSession(ctx, sessionId, userId);
}
