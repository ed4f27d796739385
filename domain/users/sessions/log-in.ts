import { and, eq, or } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { canonicalEmail } from "../accounts/email.ts";
import { accountNotActive, emailIs, findUser } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { checkPassword, hashPassword } from "../passwords/passwords.ts";
import type { IssuedSession } from "./issued-session.ts";
import { logOut } from "./log-out.ts";
import { firstRefreshToken } from "./refresh-token.ts";
import { revokeSession, type SessionClient, storeSession } from "./store.ts";

export interface LogInInput {
  /** as its owner writes it */
  email: string;
  password: string;
  /** Where from, as far as it is known. */
  client?: SessionClient;
  /** The refresh token that the browser still has, and which this login's takes the place of: its session ends. */
  replacedToken?: string | undefined;
}

/**
 * Opens a session for who knows the password. An unknown e-mail and a wrong password have one answer and take the
 * same time; the account's status is told only to who knows the password.
 *
 * @throws AppError `too_many_attempts`, `invalid_credentials`, `account_suspended`, `account_self_excluded`, `passwords_busy`,
 * `sessions_unavailable`
 */
export async function logIn(ctx: UsersContext, input: LogInInput): Promise<IssuedSession> {
  const client = input.client ?? { userAgent: "", address: "" };
  const email = canonicalEmail(input.email) ?? input.email;
  const succeeded = await ctx.loginAttempts.begin({ email, address: client.address });
  const user = await findAccount(ctx, input.email);
  const outcome = await checkPassword(input.password, user?.passwordHash);
  if (user === undefined || outcome === "wrong") {
    throw invalidCredentials(user?.id);
  }
  await succeeded();
  if (user.status !== "active") throw accountNotActive(user.status, { userId: user.id });
  if (outcome === "outdated") await rehash(ctx, user, input.password);
  const token = firstRefreshToken(ctx.refreshTokenKey);
  const expiresAt = await storeSession(ctx, token, user, client);
  // Suspended while the password was hashed: whoever did it has ended the sessions that there were before this one.
  const now = await findUser(ctx.db, user.id);
  if (now?.status !== "active") {
    await revokeSession(ctx, token.sessionId, user.id);
    throw now === undefined ? invalidCredentials(user.id) : accountNotActive(now.status, { userId: user.id });
  }
  if (input.replacedToken !== undefined) await logOut(ctx, { cookie: input.replacedToken });
  return { user: { id: user.id, role: user.role }, sessionId: token.sessionId, refreshToken: token.text, expiresAt };
}

const invalidCredentials = (userId: string | undefined) =>
  new AppError("unauthenticated", "invalid_credentials", "The e-mail address or the password is wrong.", {
    logFields: { userId },
  });

/** An account that has the address as it was written goes first: it was there before domains were stored in one form. */
async function findAccount(ctx: UsersContext, email: string) {
  const forms = new Set([email, canonicalEmail(email) ?? email].map((form) => form.toLowerCase()));
  const found = await ctx.db
    .select({
      id: users.id,
      email: users.email,
      role: users.role,
      status: users.status,
      passwordHash: users.passwordHash,
    })
    .from(users)
    .where(or(...[...forms].map(emailIs)));
  return found.find((user) => user.email.toLowerCase() === email.toLowerCase()) ?? found[0];
}

/** The password is right whether this works or not; what stays is done at the next login. */
async function rehash(ctx: UsersContext, user: { id: string; passwordHash: string }, password: string): Promise<void> {
  try {
    const passwordHash = await hashPassword(password);
    // Not over one that was changed meanwhile.
    await ctx.db
      .update(users)
      .set({ passwordHash })
      .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash)));
  } catch (error) {
    ctx.log.warn({ err: error, userId: user.id }, "a password was not hashed anew");
  }
}
