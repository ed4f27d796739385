import { and, eq, sql } from "drizzle-orm";
import { Metadata } from "nice-grpc-common";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import { builtOnce, type Database } from "../../../lib/postgres.ts";
import { TransactionType } from "../../../proto/generated/casino/balance/v1/balance.ts";
import type { ClaimContext } from "../context.ts";
import { callBalance, isRefusal } from "./balance.ts";
import { beginClaim, type Claim, type PaidClaim, toPaidClaim } from "./begin-claim.ts";
import { giveUpClaim } from "./give-up-claim.ts";

export interface ClaimResult {
  promotionId: string;
  transactionId: string;
  amountMinor: number;
  currency: string;
  /** the balance right after the credit */
  balanceMinor: number;
  /** whether an earlier call had finished this claim */
  replayed: boolean;
}

/** Somebody else's attempt was refused and given up while ours was under way: ours begins anew. */
const ATTEMPTS_MAX = 5;

/**
 * Claims an assigned promotion: the money is in the player's balance when this returns. A small saga
 * (docs/adr/0002-claim-saga.md): the assignment becomes `claiming` and takes its part of the cap (committed), Users credits
 * under the claim's key, the assignment becomes `claimed`. Whatever dies in between, the same claim or the reconciler finishes
 * it with the same key. No database connection is held while Users is called.
 *
 * @throws AppError `promotion_not_assigned`, `promotion_not_active`, `promotion_revoked`, `assignment_expired`, `player_not_verified`,
 * `promotion_exhausted`, `player_not_active`, `balance_limit`, or `balance_unavailable` (the claim is accepted and will be finished; the same claim
 * again returns its result)
 */
export async function claimPromotion(
  ctx: ClaimContext,
  input: { playerId: string; promotionId: string; traceparent?: string },
): Promise<ClaimResult> {
  for (let attempt = 1; ; attempt++) {
    const claim = await beginClaim(ctx, input);
    if ("transactionId" in claim) return toResult(claim, true);
    try {
      return await finishClaim(ctx, claim, input.traceparent);
    } catch (error) {
      const isOthers = isRefusal(error) && error.code === "transaction_voided";
      if (!isOthers || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

const markClaimed = builtOnce((db: Database) =>
  db
    .update(assignments)
    .set({
      status: sql`'claimed'`,
      claimedAt: sql`now()`,
      transactionId: sql`${sql.placeholder("transactionId")}`,
      balanceMinor: sql`${sql.placeholder("balanceMinor")}`,
    })
    .where(and(eq(assignments.id, sql.placeholder("id")), eq(assignments.status, "claiming")))
    // Losing this commit in a crash is repaired by the reconciler, so it need not wait for the disk.
    .returning({ commit: sql`set_config('synchronous_commit', 'off', true)` })
    .prepare("claim-finish"),
);

/**
 * The rest of the saga, for an assignment that is `claiming`. Safe to run from several places at once: the key is the
 * same, and only one of them makes it `claimed`.
 *
 * @throws AppError as {@link claimPromotion}; `transaction_voided` if another attempt was refused, and gave the claim up
 */
export async function finishClaim(ctx: ClaimContext, claim: Claim, traceparent?: string): Promise<ClaimResult> {
  const { transactionId, balanceMinor } = await credit(ctx, claim, traceparent);
  const { promotion, assignmentId: id } = claim;
  const [claimed] = await markClaimed(ctx.db).execute({ id, transactionId, balanceMinor });
  if (claimed !== undefined) return toResult({ promotion, transactionId, balanceMinor }, false);
  const [finished] = await ctx.db.select().from(assignments).where(eq(assignments.id, id));
  if (finished === undefined) throw new Error(`assignment ${id} is credited and gone`);
  return toResult(toPaidClaim(finished, promotion), true);
}

/** @returns the credit; if Users refuses it, the claim is given up before this throws */
async function credit(ctx: ClaimContext, claim: Claim, traceparent: string | undefined) {
  const { playerId, key, promotion } = claim;
  try {
    return await callBalance(() =>
      ctx.balance.addTransaction(
        {
          idempotencyKey: key,
          userId: playerId,
          type: TransactionType.TRANSACTION_TYPE_CREDIT,
          amountMinor: promotion.amountMinor,
          currency: promotion.currency,
          description: "Promotion claimed",
          reference: `promotion:${promotion.id}`,
        },
        traceparent === undefined ? {} : { metadata: Metadata({ traceparent }) },
      ),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const credited = await giveUpClaim(ctx, claim);
    if (credited === undefined) throw error;
    return credited;
  }
}

function toResult(claim: PaidClaim, replayed: boolean): ClaimResult {
  const { promotion, transactionId, balanceMinor } = claim;
  const { id: promotionId, amountMinor, currency } = promotion;
  return { promotionId, transactionId, amountMinor, currency, balanceMinor, replayed };
}
