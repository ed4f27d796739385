import { and, eq, sql } from "drizzle-orm";
import { recoveryCodes, secondFactors } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { findAuthenticators } from "../accounts/authenticators.ts";
import { type Actor, requireActor } from "../accounts/require-actor.ts";
import type { UsersContext } from "../context.ts";
import { passwordMark } from "../sessions/challenges.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { findSession } from "../sessions/store.ts";
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
  // A token outlives its session by seconds, and whoever ended that may have meant who holds it.
  if ((await findSession(ctx, sessionId)) === undefined) throw enrolmentNotFound();
  const succeeded = await ctx.secondFactors.beginAttempt({ userId: actor.id, sessionId });
  const secret = openSecret(ctx.secondFactors.key, actor.id, enrolment.sealedSecret);
  const step = totpStep(secret, normalizeCode(code));
  if (step === undefined) throw secondFactorWrong();
  await succeeded();
  const codes = newRecoveryCodes();
  await endOtherSessionsAround(ctx, { userId: actor.id, sessionId }, () =>
    ctx.db.transaction(async (tx) => {
      await requireActor(tx, { actor, allowed: ["player", "staff", "admin"] });
      const now = await findAuthenticators(tx, actor.id);
      if (now === undefined || passwordMark(now.passwordHash) !== enrolment.passwordMark) throw enrolmentNotFound();
      if (!(await write(tx, actor.id, enrolment, step))) throw enrolmentNotFound();
      await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, actor.id));
      const hash = (code: string) => hashRecoveryCode(ctx.secondFactors.key, actor.id, code);
      await tx.insert(recoveryCodes).values(codes.map((code) => ({ userId: actor.id, hash: hash(code) })));
    }),
  );
  return codes;
}

/**
 * The code counts as used. Of several at once one writes.
 *
 * @returns whether what is there was there when this one was begun, or nothing then as now
 */
async function write(tx: Queryable, userId: string, { sealedSecret, replaces }: Enrolment, lastStep: number) {
  const written =
    replaces === null
      ? await tx
          .insert(secondFactors)
          .values({ userId, sealedSecret, lastStep })
          .onConflictDoNothing()
          .returning({ userId: secondFactors.userId })
      : await tx
          .update(secondFactors)
          .set({ sealedSecret, lastStep, enrolledAt: sql`now()` })
          .where(and(eq(secondFactors.userId, userId), eq(secondFactors.sealedSecret, replaces)))
          .returning({ userId: secondFactors.userId });
  return written.length === 1;
}

const enrolmentNotFound = () =>
  new AppError(
    "failed_precondition",
    "enrolment_not_found",
    "This session has not begun to set up a second factor, or not lately; begin with POST /users/api/v1/auth/totp.",
  );
