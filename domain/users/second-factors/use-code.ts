import { and, eq, lt } from "drizzle-orm";
import { recoveryCodes, secondFactors } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { hashRecoveryCode, normalizeCode } from "./recovery-codes.ts";
import { openSecret } from "./sealed-secret.ts";
import type { SecondFactorUsed } from "./second-factors.ts";
import { TOTP_CODE, totpStep } from "./totp.ts";

interface Attempt {
  userId: string;
  sealedSecret: string;
  /** Of the authenticator app, or a recovery code. */
  code: string;
  /** Of who sends it with a token, and may have stolen that: their attempts keep nobody else from logging in. */
  sessionId?: string;
}

/**
 * Uses up a code: that of a step counts once, and no older one after it (RFC 6238, section 5.2); a recovery code counts once. Each
 * is one statement, so of many at once one succeeds.
 *
 * @returns what it was; undefined if it is wrong, or was used before
 * @throws AppError `too_many_attempts`
 */
export async function useCode(ctx: UsersContext, attempt: Attempt): Promise<SecondFactorUsed | undefined> {
  const succeeded = await ctx.secondFactors.beginAttempt(attempt);
  const code = normalizeCode(attempt.code);
  const used = TOTP_CODE.test(code)
    ? await useStep(ctx, { ...attempt, code })
    : await useRecoveryCode(ctx, { ...attempt, code });
  if (used !== undefined) await succeeded();
  return used;
}

async function useStep(ctx: UsersContext, { userId, sealedSecret, code }: Attempt) {
  const step = totpStep(openSecret(ctx.secondFactors.key, userId, sealedSecret), code);
  if (step === undefined) return undefined;
  const used = await ctx.db
    .update(secondFactors)
    .set({ lastStep: step })
    .where(
      and(
        eq(secondFactors.userId, userId),
        // Not of one that was replaced meanwhile.
        eq(secondFactors.sealedSecret, sealedSecret),
        lt(secondFactors.lastStep, step),
      ),
    )
    .returning({ userId: secondFactors.userId });
  return used.length === 1 ? "totp" : undefined;
}

async function useRecoveryCode(ctx: UsersContext, { userId, code }: Attempt) {
  const hash = hashRecoveryCode(ctx.secondFactors.key, userId, code);
  const used = await ctx.db
    .delete(recoveryCodes)
    .where(and(eq(recoveryCodes.userId, userId), eq(recoveryCodes.hash, hash)))
    .returning({ userId: recoveryCodes.userId });
  return used.length === 1 ? "recovery_code" : undefined;
}
