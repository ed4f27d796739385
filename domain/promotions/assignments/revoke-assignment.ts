import { and, eq, sql } from "drizzle-orm";
import { Metadata } from "nice-grpc-common";
import { assignments, promotionSlots, promotions } from "../../../drizzle/promotions/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { TransactionType } from "../../../proto/generated/casino/balance/v1/balance.ts";
import { callBalance, isRefusal } from "../claims/balance.ts";
import { claimColumns } from "../claims/begin-claim.ts";
import { finishClaim } from "../claims/claim-promotion.ts";
import type { ClaimContext, PromotionsContext } from "../context.ts";
import { type Promotion, promotionNotFound, revokedEvent } from "../promotions/promotion.ts";
import { isOverdue } from "./deadline.ts";

type Assignment = typeof assignments.$inferSelect;

export interface RevokeAssignmentInput {
  promotionId: string;
  playerId: string;
  revokedBy: string;
  /** told to the player */
  reason: string;
  requestId?: string | undefined;
  traceparent?: string;
}

export interface Reversal {
  transactionId: string;
  amountMinor: number;
  /** the balance right after the debit */
  balanceMinor: number;
}

/** What is there and what it is of, read together. */
export interface Revocation {
  assignment: Assignment;
  promotion: Promotion;
}

/** Rounds of a claim that is under way, its outcome, and a withdrawal of it; more than two are most unlikely. */
const ROUNDS_MAX = 5;

/**
 * Withdraws a promotion from a player. One that is open is `revoked` at once; what was claimed is taken back by a DEBIT, in a
 * saga like the claim's (docs/adr/0026-withdrawals.md): `claimed → revoking` (committed), debit in Users under a key of its own,
 * `revoked`. Whatever dies in between, the same request or the reconciler finishes it. A claim that is under way is finished
 * first, and then judged by its outcome.
 *
 * @returns what was taken back, null if nothing had been claimed; the same request again gets the same answer
 * @throws AppError `promotion_not_found`, `promotion_not_assigned`, `assignment_expired`, `balance_too_low` (nothing changed),
 * `claim_under_way` (nothing changed), or `balance_unavailable` (it will be finished)
 */
export async function revokeAssignment(ctx: ClaimContext, input: RevokeAssignmentInput): Promise<Reversal | null> {
  for (let round = 1; ; round++) {
    const { assignment, promotion } = await decide(ctx, input);
    switch (assignment.status) {
      case "revoked":
        return reversalOf(assignment, promotion);
      case "revoking":
        try {
          return await finishRevocation(ctx, { assignment, promotion }, input.traceparent);
        } catch (error) {
          // Another withdrawal was refused and undone while this one was under way: what is true now decides.
          if (!isVoided(error)) throw error;
          if (round === ROUNDS_MAX) throw balanceTooLow(error);
          break;
        }
      default:
        if (round === ROUNDS_MAX) throw claimUnderWay();
        await endClaim(ctx, assignment.id);
    }
  }
}

/**
 * The first step: withdraws what is open, begins to take back what was claimed, and leaves alone what is decided already or
 * still being claimed.
 */
function decide(ctx: PromotionsContext, input: RevokeAssignmentInput): Promise<Revocation> {
  return ctx.db.transaction(async (tx) => {
    const [found] = await tx
      .select({ assignment: assignments, promotion: promotions, isOverdue })
      .from(assignments)
      .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
      .where(and(eq(assignments.playerId, input.playerId), eq(assignments.promotionId, input.promotionId)))
      .for("update", { of: assignments });
    if (found === undefined) throw await notAssigned(tx, input.promotionId);
    const { assignment, promotion, isOverdue: isRunOut } = found;
    const by = { revokedBy: input.revokedBy, revokeReason: input.reason, revokeRequestId: input.requestId ?? null };
    switch (assignment.status) {
      case "assigned": {
        if (isRunOut) throw hasExpired();
        return { promotion, assignment: await markRevoked(tx, found, by, input.traceparent) };
      }
      case "claimed": {
        const now = sql`now()`;
        const [revoking] = await tx
          .update(assignments)
          .set({ ...by, status: "revoking", revokingAt: now, attemptedAt: now })
          .where(eq(assignments.id, assignment.id))
          .returning();
        return { promotion, assignment: revoking ?? assignment };
      }
      case "expired":
        throw hasExpired();
      default:
        return found;
    }
  });
}

const hasExpired = () =>
  new AppError("failed_precondition", "assignment_expired", "It has expired, so there is nothing to withdraw.");

async function notAssigned(tx: Queryable, promotionId: string): Promise<AppError> {
  const [known] = await tx.select({ id: promotions.id }).from(promotions).where(eq(promotions.id, promotionId));
  return known === undefined
    ? promotionNotFound()
    : new AppError("not_found", "promotion_not_assigned", "This promotion is not assigned to this player.");
}

/** Brings a claim that is under way to its end, whichever that is. */
async function endClaim(ctx: ClaimContext, assignmentId: string): Promise<void> {
  const [claim] = await ctx.db
    .select(claimColumns)
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(and(eq(assignments.id, assignmentId), eq(assignments.status, "claiming")));
  if (claim === undefined) return;
  try {
    await finishClaim(ctx, claim);
  } catch (error) {
    if (isRefusal(error)) return;
    if (error instanceof AppError) throw claimUnderWay(error);
    throw error;
  }
}

const claimUnderWay = (cause?: Error) =>
  new AppError(
    "failed_precondition",
    "claim_under_way",
    "The player is claiming it, and how that ends is not known yet. Nothing was changed; try again in a moment.",
    { cause },
  );

/**
 * The rest of the saga, for an assignment that is `revoking`. Safe to run from several places at once, as the claim's is.
 *
 * @throws AppError `balance_too_low`: it is `claimed` again; `transaction_voided`: another attempt has made it so;
 * `balance_unavailable`: it stays `revoking`
 */
export async function finishRevocation(
  ctx: ClaimContext,
  { assignment, promotion }: Revocation,
  traceparent?: string,
): Promise<Reversal | null> {
  const debited = await debit(ctx, { assignment, promotion }, traceparent);
  const revoked = await ctx.db.transaction(async (tx) => {
    const [current] = await tx.select().from(assignments).where(eq(assignments.id, assignment.id)).for("update");
    if (current?.status !== "revoking") return current;
    const { revokedBy, revokeReason, revokeRequestId } = current;
    const reversal = { reversalTransactionId: debited.transactionId, reversalBalanceMinor: debited.balanceMinor };
    const change = { revokedBy, revokeReason, revokeRequestId, ...reversal };
    return markRevoked(tx, { assignment: current, promotion }, change, traceparent);
  });
  if (revoked?.status !== "revoked")
    throw new Error(`assignment ${assignment.id} is taken back and ${revoked?.status}`);
  return reversalOf(revoked, promotion);
}

/** @returns the debit; if the balance does not have the amount, the withdrawal is undone before this throws */
async function debit(
  ctx: ClaimContext,
  { assignment, promotion }: Revocation,
  traceparent: string | undefined,
): Promise<{ transactionId: string; balanceMinor: number }> {
  const { id, playerId, claimKey, debitsVoided } = assignment;
  const idempotencyKey = debitsVoided === 0 ? `${id}:reversal` : `${id}:reversal:${debitsVoided}`;
  try {
    // Nothing but what the assignment is and stays: under one key always the same.
    return await callBalance(() =>
      ctx.balance.addTransaction(
        {
          idempotencyKey,
          userId: playerId,
          type: TransactionType.TRANSACTION_TYPE_DEBIT,
          amountMinor: promotion.amountMinor,
          currency: promotion.currency,
          description: "Promotion withdrawn",
          reference: `promotion:${promotion.id}`,
          reverses: claimKey ?? id,
        },
        traceparent === undefined ? {} : { metadata: Metadata({ traceparent }) },
      ),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { written } = await callBalance(() => ctx.balance.voidTransaction({ idempotencyKey }));
    if (written !== undefined) return written;
    await ctx.db
      .update(assignments)
      .set({
        status: "claimed",
        debitsVoided: debitsVoided + 1,
        revokingAt: null,
        revokedBy: null,
        revokeReason: null,
        revokeRequestId: null,
      })
      .where(
        and(eq(assignments.id, id), eq(assignments.status, "revoking"), eq(assignments.debitsVoided, debitsVoided)),
      );
    throw isVoided(error) ? error : balanceTooLow(error);
  }
}

const isVoided = (error: unknown): error is AppError => isRefusal(error) && error.code === "transaction_voided";

const balanceTooLow = (cause: Error) =>
  new AppError(
    "failed_precondition",
    "balance_too_low",
    "The player's balance is less than what they claimed, so it can't be taken back. Nothing was changed.",
    { cause },
  );

type RevokedFields = Pick<Assignment, "revokedBy" | "revokeReason" | "revokeRequestId"> &
  Partial<Pick<Assignment, "reversalTransactionId" | "reversalBalanceMinor">>;

/** The last step: `revoked`, its part of the cap is free again, the player is told, and the audit says who and why. */
async function markRevoked(
  tx: Queryable,
  { assignment, promotion }: Revocation,
  change: RevokedFields,
  traceparent: string | undefined,
): Promise<Assignment> {
  const now = sql`clock_timestamp()`;
  const [revoked] = await tx
    .update(assignments)
    .set({ ...change, status: "revoked", revokedAt: now, slot: null })
    .where(eq(assignments.id, assignment.id))
    .returning();
  if (revoked?.revokedAt == null || revoked.revokedBy === null || revoked.revokeReason === null) {
    throw new Error(`assignment ${assignment.id} was not marked as revoked`);
  }
  if (assignment.transactionId !== null) {
    await tx
      .update(promotionSlots)
      .set({ used: sql`${promotionSlots.used} - 1` })
      .where(and(eq(promotionSlots.promotionId, promotion.id), eq(promotionSlots.slot, assignment.slot ?? 0)));
  }
  const { playerId, revokedAt, revokeReason: reason } = revoked;
  await enqueueEvents(tx, [revokedEvent(promotion, playerId, revokedAt, reason)], traceparent);
  const reversedMinor = assignment.transactionId === null ? 0 : promotion.amountMinor;
  await recordAudit(tx, {
    actorId: revoked.revokedBy,
    requestId: revoked.revokeRequestId ?? undefined,
    action: "revokeAssignment",
    object: { type: "assignment", id: revoked.id },
    before: { status: assignment.transactionId === null ? "assigned" : "claimed" },
    after: { status: "revoked", playerId, promotionId: promotion.id, reversedMinor },
    lasting: ["status", "playerId", "promotionId", "reversedMinor"],
    reason,
  });
  return revoked;
}

function reversalOf(assignment: Assignment, { amountMinor }: Promotion): Reversal | null {
  const { reversalTransactionId: transactionId, reversalBalanceMinor: balanceMinor } = assignment;
  return transactionId === null || balanceMinor === null ? null : { transactionId, amountMinor, balanceMinor };
}
