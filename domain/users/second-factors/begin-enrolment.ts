import { AppError } from "../../../lib/errors.ts";
import { type Authenticators, findAuthenticators } from "../accounts/authenticators.ts";
import { accountNotActive, userNotFound } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { currentPasswordWrong } from "../passwords/change-password.ts";
import { checkPassword } from "../passwords/passwords.ts";
import { passwordMark } from "../sessions/challenges.ts";
import { findSession } from "../sessions/store.ts";
import { storeEnrolment } from "./enrolments.ts";
import { sealSecret } from "./sealed-secret.ts";
import { secondFactorWrong } from "./second-factors.ts";
import { newTotpSecret, otpauthUri } from "./totp.ts";
import { useCode } from "./use-code.ts";

/** For so long a login counts as having shown the password just now. */
const LOGIN_AGE_MS_MAX = 10 * 60_000;

export interface BeginEnrolmentInput {
  userId: string;
  /** The session that asks, and that confirms. */
  sessionId: string;
  currentPassword?: string | undefined;
  /** Of the factor that is to be replaced. */
  code?: string | undefined;
  /** Of the client; "" where it is not known. */
  address: string;
}

/**
 * Makes a secret for an authenticator app. It is the account's second factor once a code of it was confirmed, within ten
 * minutes; until then nothing has changed. Who holds a stolen token must not lock the owner out: who has a factor shows a code of
 * it; who has none has logged in a moment ago, or shows the password.
 *
 * @returns the secret in base32, and the address for a QR code; neither can be read again
 * @throws AppError `reauthentication_required`, `second_factor_wrong`, `current_password_wrong`, `too_many_attempts`, `user_not_found`,
 * `account_suspended`, `account_self_excluded`, `passwords_busy`, `sessions_unavailable`
 */
export async function beginEnrolment(
  ctx: UsersContext,
  input: BeginEnrolmentInput,
): Promise<{ secret: string; otpauthUri: string }> {
  const user = await findAuthenticators(ctx.db, input.userId);
  if (user === undefined) throw userNotFound();
  if (user.status !== "active") throw accountNotActive(user.status, { userId: user.id });
  await reauthenticate(ctx, user, input);
  const secret = newTotpSecret();
  await storeEnrolment(ctx, input.sessionId, {
    sealedSecret: sealSecret(ctx.secondFactors.key, user.id, secret),
    replaces: user.sealedSecret,
    passwordMark: passwordMark(user.passwordHash),
  });
  return { secret, otpauthUri: otpauthUri(secret, { issuer: ctx.secondFactors.issuer, account: user.email }) };
}

async function reauthenticate(
  ctx: UsersContext,
  { id: userId, email, passwordHash, sealedSecret }: Authenticators,
  { sessionId, currentPassword, code, address }: BeginEnrolmentInput,
): Promise<void> {
  if (sealedSecret !== null) {
    if (code === undefined) throw reauthenticationRequired("Send `code`, of the second factor that you have.");
    if ((await useCode(ctx, { userId, sealedSecret, code, sessionId })) === undefined) throw secondFactorWrong();
    return;
  }
  if (currentPassword !== undefined) {
    const succeeded = await ctx.loginAttempts.begin({ email, address });
    if ((await checkPassword(currentPassword, passwordHash)) === "wrong") throw currentPasswordWrong();
    await succeeded();
    return;
  }
  const session = await findSession(ctx, sessionId);
  const openedAt = session?.createdAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  if (Date.now() - openedAt > LOGIN_AGE_MS_MAX) {
    throw reauthenticationRequired("You logged in a while ago: send `currentPassword`.");
  }
}

const reauthenticationRequired = (detail: string) =>
  new AppError("permission_denied", "reauthentication_required", detail);
