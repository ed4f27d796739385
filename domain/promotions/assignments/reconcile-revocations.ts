import { and, eq, inArray, isNotNull, isNull, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { isRefusal } from "../claims/balance.ts";
import type { ReconcileOutcome } from "../claims/reconcile-claims.ts";
import type { ClaimContext } from "../context.ts";
import { finishRevocation, type Revocation } from "./revoke-assignment.ts";

/**
 * Finishes withdrawals that were left in `revoking` by whatever died, as `reconcileClaims` does with claims.
 *
 * @param options.staleAfterMs how long ago the last attempt must have begun; longer than one can live
 * @param options.batchMax withdrawals per call
 * @returns with those as `refused` whose players' balances are too low: they are `claimed` again
 */
export async function reconcileRevocations(
  ctx: ClaimContext,
  options: { staleAfterMs: number; batchMax: number },
): Promise<ReconcileOutcome> {
  const stale = ctx.db
    .select({ id: assignments.id })
    .from(assignments)
    .where(
      and(
        isNotNull(assignments.revokingAt),
        isNull(assignments.revokedAt),
        eq(assignments.status, "revoking"),
        lt(assignments.attemptedAt, sql`now() - ${options.staleAfterMs} * interval '1 millisecond'`),
      ),
    )
    .orderBy(assignments.revokingAt)
    .limit(options.batchMax)
    .for("update", { skipLocked: true });
  const taken = await ctx.db
    .update(assignments)
    .set({ attemptedAt: sql`now()` })
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

async function finish(ctx: ClaimContext, revocation: Revocation): Promise<"finished" | "refused" | "failed"> {
  const { id: assignmentId, playerId } = revocation.assignment;
  try {
    await finishRevocation(ctx, revocation);
    ctx.log.info({ assignmentId, playerId }, "withdrawal finished");
    return "finished";
  } catch (error) {
    const refused = isRefusal(error);
    ctx.log.warn(
      { assignmentId, playerId, err: error },
      refused ? "withdrawal refused" : "withdrawal not finished yet",
    );
    return refused ? "refused" : "failed";
  }
}
