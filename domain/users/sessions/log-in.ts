import { and, eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { findAuthenticators } from "../accounts/authenticators.ts";
import { canonicalEmail } from "../accounts/email.ts";
import { findAccount } from "../accounts/find-account.ts";
import { remindOfVerification } from "../accounts/remind-of-verification.ts";
import { accountNotActive, emailNotVerified } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { checkPassword, hashPassword } from "../passwords/passwords.ts";
import { issueChallenge, passwordMark, type TokenDelivery } from "./challenges.ts";
import type { IssuedSession } from "./issued-session.ts";
import { openSession } from "./open-session.ts";
import type { SessionClient } from "./store.ts";

export interface LogInInput {
  /** as its owner writes it */
  email: string;
  password: string;
  /** Where from, as far as it is known. */
  client?: SessionClient;
  /** The refresh token that the browser still has, and which this login's takes the place of: its session ends. */
  replacedToken?: string | undefined;
  /** How the client gets its refresh token: for the answer to the challenge, if there is one. */
  tokenDelivery?: TokenDelivery;
  /** the trace to go on in the consumers of the event that tells of a new device */
  traceparent?: string;
}

/** What the password opens for who has a second factor. */
export interface ChallengedLogIn {
  user: { id: string };
  challenge: string;
}

/**
 * Opens a session for who knows the password; who has a second factor gets a challenge for it instead (`answerChallenge`). An unknown e-mail and a wrong password have one answer and take the
 * same time; the account's status is told only to who knows the password. A player who has to verify their address first is sent another link.
 *
 * @throws AppError `too_many_attempts`, `invalid_credentials`, `account_suspended`, `account_self_excluded`, `email_not_verified`,
 * `passwords_busy`, `sessions_unavailable`
 */
export async function logIn(ctx: UsersContext, input: LogInInput): Promise<IssuedSession | ChallengedLogIn> {
  const client = input.client ?? { userAgent: "", address: "" };
  const email = canonicalEmail(input.email) ?? input.email;
  const succeeded = await ctx.loginAttempts.begin({ email, address: client.address });
  const user = await findAccount(ctx.db, input.email);
  const outcome = await checkPassword(input.password, user?.passwordHash);
  if (user === undefined || outcome === "wrong") {
    throw invalidCredentials(user?.id);
  }
  await succeeded();
  if (user.status !== "active") throw accountNotActive(user.status, { userId: user.id });
  if (ctx.requireVerifiedEmail && user.role === "player" && !user.emailVerified) {
    await remindOfVerification(ctx, user);
    throw emailNotVerified({ userId: user.id });
  }
  const passwordHash = outcome === "outdated" ? await rehash(ctx, user, input.password) : user.passwordHash;
  if (user.sealedSecret !== null) {
    const userId = user.id;
    const challenge = await issueChallenge(ctx, {
      userId,
      passwordMark: passwordMark(passwordHash),
      tokenDelivery: input.tokenDelivery ?? "cookie",
    });
    return { user: { id: userId }, challenge };
  }
  return openSession(ctx, {
    user,
    client,
    secondFactor: undefined,
    replacedToken: input.replacedToken,
    traceparent: input.traceparent,
    isStillRight: async (now) =>
      now.sealedSecret === null &&
      // Another hash may be of the same password.
      (now.passwordHash === passwordHash || (await checkPassword(input.password, now.passwordHash)) !== "wrong"),
    refusal: invalidCredentials,
  });
}

const invalidCredentials = (userId: string | undefined) =>
  new AppError("unauthenticated", "invalid_credentials", "The e-mail address or the password is wrong.", {
    logFields: { userId },
  });

/** The password is right whether this works or not; what stays is done at the next login. @returns the hash that there is then */
async function rehash(
  ctx: UsersContext,
  user: { id: string; passwordHash: string },
  password: string,
): Promise<string> {
  try {
    const passwordHash = await hashPassword(password);
    // Not over one that was changed meanwhile.
    const written = await ctx.db
      .update(users)
      .set({ passwordHash })
      .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash)))
      .returning({ id: users.id });
    if (written.length === 1) return passwordHash;
    return (await findAuthenticators(ctx.db, user.id))?.passwordHash ?? user.passwordHash;
  } catch (error) {
    ctx.log.warn({ err: error, userId: user.id }, "a password was not hashed anew");
    return user.passwordHash;
  }
}
