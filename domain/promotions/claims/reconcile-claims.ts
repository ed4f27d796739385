import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { ClaimContext } from "../context.ts";
import { type Claim, finishClaim } from "./claim-promotion.ts";

export interface ReconcileOutcome {
  /** claims of this batch; the sum of the others */
  taken: number;
  finished: number;
  /** Users refused for good: back to `assigned`, if the player has not tried again meanwhile */
  refused: number;
  /** to be tried again after `staleAfterMs` */
  failed: number;
}

/**
 * Finishes claims that were left in `claiming` by whatever died. Takes a batch over by renewing its `attemptedAt`, a
 * lease that keeps other reconcilers away, and holds no lock while Users is called. The batch is finished side by side, so
 * that it takes no longer than one claim, which is less than the lease.
 *
 * @param options.staleAfterMs how long ago the last attempt must have begun; longer than one can live
 * @param options.batchMax claims per call
 */
export async function reconcileClaims(
  ctx: ClaimContext,
  options: { staleAfterMs: number; batchMax: number },
): Promise<ReconcileOutcome> {
  // Whatever of the two there is: a version from before `attempted_at` knows only the other.
  const lastAttempt = sql`greatest(${assignments.attemptedAt}, ${assignments.claimingAt})`;
  const stale = ctx.db
    .select({ id: assignments.id })
    .from(assignments)
    .where(
      and(
        eq(assignments.status, "claiming"),
        lt(lastAttempt, sql`now() - ${options.staleAfterMs} * interval '1 millisecond'`),
      ),
    )
    .orderBy(lastAttempt)
    .limit(options.batchMax)
    .for("update", { skipLocked: true });
  const taken = await ctx.db
    .update(assignments)
    .set({ attemptedAt: sql`now()`, openAttempts: 1, takeovers: sql`${assignments.takeovers} + 1` })
    .from(promotions)
    .where(and(inArray(assignments.id, stale), eq(promotions.id, assignments.promotionId)))
    .returning();
  const outcome: ReconcileOutcome = { taken: taken.length, finished: 0, refused: 0, failed: 0 };
  await Promise.all(
    taken.map(async ({ promotions: promotion, ...assignment }) => {
      outcome[await finish(ctx, { assignment, promotion })] += 1;
    }),
  );
  return outcome;
}

async function finish(ctx: ClaimContext, claim: Claim): Promise<"finished" | "refused" | "failed"> {
  const fields = { assignmentId: claim.assignment.id, playerId: claim.assignment.playerId };
  try {
    await finishClaim(ctx, claim);
    ctx.log.info(fields, "claim finished");
    return "finished";
  } catch (error) {
    const isRefused = error instanceof AppError && error.kind !== "unavailable";
    ctx.log.warn({ ...fields, err: error }, isRefused ? "claim refused" : "claim not finished yet");
    return isRefused ? "refused" : "failed";
  }
}
