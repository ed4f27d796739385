import { AppError } from "../../../lib/errors.ts";
import { findAuthenticators } from "../accounts/authenticators.ts";
import { accountNotActive } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import type { SecondFactorUsed } from "../second-factors/second-factors.ts";
import { useCode } from "../second-factors/use-code.ts";
import { challengeInvalid, findChallenge, passwordMark, type TokenDelivery, useChallenge } from "./challenges.ts";
import type { IssuedSession } from "./issued-session.ts";
import { openSession } from "./open-session.ts";
import type { SessionClient } from "./store.ts";

export interface AnswerChallengeInput {
  challenge: string;
  /** Of the authenticator app, or a recovery code. */
  code: string;
  client: SessionClient;
  /** The refresh token of the browser's cookie, if it sent one; ended as at a login that gives it another. */
  cookie: string | undefined;
  /** the trace to go on in the consumers of the event that tells of a new device */
  traceparent?: string;
}

/**
 * Opens the session of a login whose password was right, for who shows the second factor too. A challenge opens one session, and
 * none once the password, the factor or the account's status is another.
 *
 * @returns the session, what was shown, and how the login asked for its refresh token
 * @throws AppError `challenge_invalid`, `second_factor_wrong`, `too_many_attempts`, `account_suspended`, `account_self_excluded`,
 * `sessions_unavailable`
 */
export async function answerChallenge(
  ctx: UsersContext,
  { challenge, code, client, cookie, traceparent }: AnswerChallengeInput,
): Promise<{ session: IssuedSession; secondFactor: SecondFactorUsed; tokenDelivery: TokenDelivery }> {
  const { userId, tokenDelivery, passwordMark: mark } = await findChallenge(ctx, challenge);
  const user = await findAuthenticators(ctx.db, userId);
  if (user === undefined || user.sealedSecret === null || passwordMark(user.passwordHash) !== mark) {
    throw challengeInvalid(userId);
  }
  if (user.status !== "active") throw accountNotActive(user.status, { userId });
  const { sealedSecret, passwordHash } = user;
  const secondFactor = await useCode(ctx, { userId, sealedSecret, code });
  if (secondFactor === undefined) {
    throw new AppError("unauthenticated", "second_factor_wrong", "The code is wrong, or was used; wait for the next.", {
      logFields: { userId },
    });
  }
  await useChallenge(ctx, challenge);
  const session = await openSession(ctx, {
    user,
    client,
    secondFactor,
    replacedToken: tokenDelivery === "cookie" ? cookie : undefined,
    traceparent,
    isStillRight: (now) => now.sealedSecret === sealedSecret && now.passwordHash === passwordHash,
    refusal: challengeInvalid,
  });
  return { session, secondFactor, tokenDelivery };
}
