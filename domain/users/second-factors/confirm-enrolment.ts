import { eq, sql } from "drizzle-orm";
import { recoveryCodes, secondFactors } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { type Actor, requireActor } from "../accounts/require-actor.ts";
import type { UsersContext } from "../context.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { type Enrolment, findEnrolment } from "./enrolments.ts";
import { hashRecoveryCode, newRecoveryCodes, normalizeCode } from "./recovery-codes.ts";
import { openSecret } from "./sealed-secret.ts";
import { secondFactorWrong } from "./second-factors.ts";
import { totpStep } from "./totp.ts";

/**
 * Makes the secret that the session has begun with the account's second factor, in the place of the one that it may have had, for
 * who shows a code of it. All other sessions end. This one stays what it was: it was opened without the factor, or with another.
 *
 * @returns recovery codes, which can't be read again; those from before are void
 * @throws AppError `enrolment_not_found`, `second_factor_wrong`, `too_many_attempts`, `sessions_unavailable`, and what `requireActor` throws
 */
export async function confirmEnrolment(
  ctx: UsersContext,
  { actor, sessionId, code }: { actor: Actor; sessionId: string; code: string },
): Promise<string[]> {
  const enrolment = await findEnrolment(ctx, sessionId);
  if (enrolment === undefined) throw enrolmentNotFound();
  const succeeded = await ctx.secondFactors.beginAttempt(actor.id);
  const secret = openSecret(ctx.secondFactors.key, actor.id, enrolment.sealedSecret);
  const step = totpStep(secret, normalizeCode(code));
  if (step === undefined) throw secondFactorWrong();
  await succeeded();
  const codes = newRecoveryCodes();
  await endOtherSessionsAround(ctx, { userId: actor.id, sessionId }, () =>
    ctx.db.transaction(async (tx) => {
      await requireActor(tx, { actor, allowed: ["player", "staff", "admin"] });
      // The code counts as used. Of several at once one writes: whatever is there now was not when this one was begun.
      const written = await tx
        .insert(secondFactors)
        .values({ userId: actor.id, sealedSecret: enrolment.sealedSecret, lastStep: step })
        .onConflictDoUpdate({
          target: secondFactors.userId,
          set: { sealedSecret: enrolment.sealedSecret, lastStep: step, enrolledAt: sql`now()` },
          setWhere: isReplaced(enrolment),
        })
        .returning({ userId: secondFactors.userId });
      if (written.length === 0) throw enrolmentNotFound();
      await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, actor.id));
      const hash = (code: string) => hashRecoveryCode(ctx.secondFactors.key, actor.id, code);
      await tx.insert(recoveryCodes).values(codes.map((code) => ({ userId: actor.id, hash: hash(code) })));
    }),
  );
  return codes;
}

const isReplaced = ({ replaces }: Enrolment) =>
  replaces === null ? sql`false` : eq(secondFactors.sealedSecret, replaces);

const enrolmentNotFound = () =>
  new AppError(
    "failed_precondition",
    "enrolment_not_found",
    "This session has not begun to set up a second factor, or not lately; begin with POST /users/api/v1/auth/totp.",
  );
