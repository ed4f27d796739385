import { and, eq, inArray, isNotNull, isNull, lt, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { finishAll, type ReconcileOutcome } from "../claims/finish-all.ts";
import type { ClaimContext } from "../context.ts";
import { finishRevocation } from "./revoke-assignment.ts";

/**
 * Finishes withdrawals that were left in `revoking` by whatever died, as `reconcileClaims` does with claims.
 *
 * @param options.staleAfterMs how long ago the last attempt must have begun; longer than one can live
 * @param options.batchMax withdrawals per call
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
  const revocations = taken.map(({ promotions: promotion, ...assignment }) => ({
    assignmentId: assignment.id,
    playerId: assignment.playerId,
    assignment,
    promotion,
  }));
  return finishAll(ctx, "withdrawal", revocations, (revocation) => finishRevocation(ctx, revocation));
}
