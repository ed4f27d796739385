import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import type { ClaimContext } from "../context.ts";
import { isRefusal } from "./balance.ts";
import { type Claim, claimColumns } from "./begin-claim.ts";
import { finishClaim } from "./claim-promotion.ts";

export interface ReconcileOutcome {
  /** claims of this batch; the sum of the others */
  taken: number;
  finished: number;
  /** Users refused for good: back to `assigned` */
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
  const outcome: ReconcileOutcome = { taken: taken.length, finished: 0, refused: 0, failed: 0 };
  await Promise.all(
    taken.map(async (claim) => {
      outcome[await finish(ctx, claim)] += 1;
    }),
  );
  return outcome;
}

async function finish(ctx: ClaimContext, claim: Claim): Promise<"finished" | "refused" | "failed"> {
  const fields = { assignmentId: claim.assignmentId, playerId: claim.playerId };
  try {
    await finishClaim(ctx, claim);
    ctx.log.info(fields, "claim finished");
    return "finished";
  } catch (error) {
    const isRefused = isRefusal(error);
    ctx.log.warn({ ...fields, err: error }, isRefused ? "claim refused" : "claim not finished yet");
    return isRefused ? "refused" : "failed";
  }
}
