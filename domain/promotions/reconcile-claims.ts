import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../drizzle/promotions/schema.ts";
import { AppError } from "../../lib/errors.ts";
import { finishClaim } from "./claim-promotion.ts";
import type { ClaimContext } from "./context.ts";

export interface ReconcileOutcome {
  finished: number;
  /** Users refused for good: back to `assigned` */
  refused: number;
  /** to be tried again after `staleAfterMs` */
  failed: number;
}

/**
 * Finishes claims that were left in `claiming` by whatever died. Takes a batch by renewing its `claimingAt`, a lease
 * that keeps other reconcilers away, and holds no lock while Users is called.
 *
 * @param options.staleAfterMs how old a claim must be; longer than a live claim can take
 * @param options.batchMax claims per call
 */
export async function reconcileClaims(
  ctx: ClaimContext,
  options: { staleAfterMs: number; batchMax: number },
): Promise<ReconcileOutcome> {
  const stale = ctx.db
    .select({ id: assignments.id })
    .from(assignments)
    .where(
      and(
        eq(assignments.status, "claiming"),
        lt(assignments.claimingAt, sql`now() - ${options.staleAfterMs} * interval '1 millisecond'`),
      ),
    )
    .orderBy(assignments.claimingAt)
    .limit(options.batchMax)
    .for("update", { skipLocked: true });
  const taken = await ctx.db
    .update(assignments)
    .set({ claimingAt: sql`now()` })
    .where(inArray(assignments.id, stale))
    .returning();
  const outcome: ReconcileOutcome = { finished: 0, refused: 0, failed: 0 };
  for (const assignment of taken) {
    const [promotion] = await ctx.db.select().from(promotions).where(eq(promotions.id, assignment.promotionId));
    if (promotion === undefined) throw new Error(`assignment ${assignment.id} has no promotion`);
    try {
      await finishClaim(ctx, { assignment, promotion });
      outcome.finished += 1;
      ctx.log.info({ assignmentId: assignment.id, playerId: assignment.playerId }, "claim finished");
    } catch (error) {
      const isRefused = error instanceof AppError && error.kind !== "unavailable";
      outcome[isRefused ? "refused" : "failed"] += 1;
      ctx.log.warn({ err: error, assignmentId: assignment.id }, isRefused ? "claim refused" : "claim not finished yet");
    }
  }
  return outcome;
}
