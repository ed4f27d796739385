import { and, eq } from "drizzle-orm";
import { secondFactors } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { findAuthenticators } from "../accounts/authenticators.ts";
import { accountNotActive, userNotFound } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { secondFactorNotFound, secondFactorWrong } from "./second-factors.ts";
import { useCode } from "./use-code.ts";

/**
 * Takes the second factor from an account whose owner shows a code of it, and ends all other sessions. Who needs one can't be
 * without: they replace it.
 *
 * @throws AppError `second_factor_required`, `second_factor_not_found`, `second_factor_wrong`, `too_many_attempts`, `user_not_found`,
 * `account_suspended`, `account_self_excluded`, `sessions_unavailable`
 */
export async function removeSecondFactor(
  ctx: UsersContext,
  { userId, sessionId, code }: { userId: string; sessionId: string; code: string },
): Promise<void> {
  const user = await findAuthenticators(ctx.db, userId);
  if (user === undefined) throw userNotFound();
  if (user.status !== "active") throw accountNotActive(user.status, { userId });
  const { role, sealedSecret } = user;
  if (ctx.secondFactors.isRequiredOf(role)) throw secondFactorRequired();
  if (sealedSecret === null) throw secondFactorNotFound();
  if ((await useCode(ctx, { userId, sealedSecret, code, sessionId })) === undefined) throw secondFactorWrong();
  await endOtherSessionsAround(ctx, { userId, sessionId }, async () => {
    // Not one that was put in its place meanwhile. Its recovery codes go with it.
    const removed = await ctx.db
      .delete(secondFactors)
      .where(and(eq(secondFactors.userId, userId), eq(secondFactors.sealedSecret, sealedSecret)))
      .returning({ userId: secondFactors.userId });
    if (removed.length === 0) throw secondFactorNotFound();
  });
}

const secondFactorRequired = () =>
  new AppError(
    "permission_denied",
    "second_factor_required",
    "Your role needs a second factor; put another one in its place with POST /users/api/v1/auth/totp.",
  );
