import type { UsersContext } from "../context.ts";
import { refreshTokenInvalid } from "./refresh-session.ts";
import { parseRefreshToken } from "./refresh-token.ts";
import { revokeSession } from "./store.ts";

/**
 * Ends the sessions of the refresh tokens that a client presents, whatever their generation. A session that is gone has
 * nothing to end and is no error.
 *
 * @param input.refreshToken the one it chose to present: a wrong one must not pass for a session that has ended
 * @param input.cookie the one its browser sends along; if it isn't ours there is nothing to end
 * @throws AppError `refresh_token_invalid` if `refreshToken` isn't ours, and then nothing has ended;
 * `sessions_unavailable`
 */
export async function logOut(
  ctx: UsersContext,
  { refreshToken, cookie }: { refreshToken?: string | undefined; cookie?: string | undefined },
): Promise<void> {
  const sessionOf = (token = "") => parseRefreshToken(ctx.refreshTokenKey, token)?.presented.sessionId;
  if (refreshToken !== undefined && sessionOf(refreshToken) === undefined) throw refreshTokenInvalid();
  for (const sessionId of new Set([sessionOf(refreshToken), sessionOf(cookie)])) {
    if (sessionId !== undefined) await revokeSession(ctx, sessionId);
  }
}
