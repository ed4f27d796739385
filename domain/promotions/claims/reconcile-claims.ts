import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import type { ClaimContext } from "../context.ts";
import { claimColumns } from "./begin-claim.ts";
import { finishClaim } from "./claim-promotion.ts";
import { finishAll, type ReconcileOutcome } from "./finish-all.ts";

/**
 * Finishes claims that were left in `claiming` by whatever died. Takes a batch over by renewing its `attemptedAt`, a
 * lease that keeps other reconcilers away, and holds no lock while Users is called.
 *
 * @param options.staleAfterMs how long ago the last attempt must have begun; longer than one can live
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
        lt(assignments.attemptedAt, sql`now() - ${options.staleAfterMs} * interval '1 millisecond'`),
      ),
    )
    .orderBy(assignments.attemptedAt)
    .limit(options.batchMax)
    .for("update", { skipLocked: true });
  const taken = await ctx.db
    .update(assignments)
    .set({ attemptedAt: sql`now()` })
    .from(promotions)
    .where(and(inArray(assignments.id, stale), eq(promotions.id, assignments.promotionId)))
    .returning(claimColumns);
  return finishAll(ctx, "claim", taken, (claim) => finishClaim(ctx, claim));
}
