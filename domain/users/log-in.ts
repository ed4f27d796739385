import { users } from "../../drizzle/users/schema.ts";
import type { Role } from "../../lib/auth/principal.ts";
import { AppError } from "../../lib/errors.ts";
import type { UsersContext } from "./context.ts";
import { isPassword } from "./passwords.ts";
import { firstRefreshToken } from "./sessions/refresh-token.ts";
import { storeSession } from "./sessions/store.ts";
import { accountNotActive, emailIs } from "./user.ts";

/** What a client gets at login and at each refresh. */
export interface IssuedSession {
  user: { id: string; role: Role };
  sessionId: string;
  refreshToken: string;
  /** when the session ends; rotating does not extend it */
  expiresAt: Date;
}

/**
 * Opens a session for who knows the password. An unknown e-mail and a wrong password have one answer and take the
 * same time; the account's status is told only to who knows the password.
 *
 * @throws AppError `invalid_credentials`, `account_suspended`, `account_self_excluded`, `passwords_busy`,
 * `sessions_unavailable`
 */
export async function logIn(ctx: UsersContext, input: { email: string; password: string }): Promise<IssuedSession> {
  const [user] = await ctx.db
    .select({ id: users.id, role: users.role, status: users.status, passwordHash: users.passwordHash })
    .from(users)
    .where(emailIs(input.email));
  const isRight = await isPassword(input.password, user?.passwordHash);
  if (user === undefined || !isRight) {
    throw new AppError("unauthenticated", "invalid_credentials", "The e-mail address or the password is wrong.");
  }
  if (user.status !== "active") throw accountNotActive(user.status);
  const token = firstRefreshToken(ctx.refreshTokenKey);
  const expiresAt = await storeSession(ctx, token, user.id);
  return { user: { id: user.id, role: user.role }, sessionId: token.sessionId, refreshToken: token.text, expiresAt };
}
