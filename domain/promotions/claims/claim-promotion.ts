import { and, eq, getTableColumns, gt, lte, or, sql } from "drizzle-orm";
import { ClientError, Metadata, Status } from "nice-grpc-common";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError, unavailable } from "../../../lib/errors.ts";
import { builtOnce, type Database } from "../../../lib/postgres.ts";
import { type AddTransactionResponse, TransactionType } from "../../../proto/generated/casino/balance/v1/balance.ts";
import type { ClaimContext } from "../context.ts";
import { findInactivity, type Promotion, promotionNotActive } from "../promotions/promotion.ts";

export type Assignment = typeof assignments.$inferSelect;

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

/**
 * Claims an assigned promotion: the money is in the player's balance when this returns. A small saga: the assignment
 * becomes `claiming` (committed), Users credits with the assignment's id as idempotency key, the assignment becomes
 * `claimed`. Whatever dies in between, the same claim or the reconciler finishes it with the same key. No database
 * connection is held while Users is called.
 *
 * @throws AppError `promotion_not_assigned`, `promotion_not_active`, `promotion_revoked`, `player_not_active`, or
 * `balance_unavailable` (the claim is accepted and will be finished; the same claim again returns its result)
 */
export async function claimPromotion(
  ctx: ClaimContext,
  input: { playerId: string; promotionId: string; traceparent?: string },
): Promise<ClaimResult> {
  const begun = await beginClaim(ctx, input);
  if (begun.assignment.status === "claimed") return toResult(begun.assignment, begun.promotion, true);
  return finishClaim(ctx, begun, input.traceparent);
}

export interface Claim {
  assignment: Assignment;
  promotion: Pick<Promotion, "id" | "amountMinor" | "currency">;
  /** `attempted_at` before this attempt, as PostgreSQL writes it; undefined if this is a takeover. */
  attemptedBefore?: string | null;
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
    .where(and(eq(assignments.id, sql.placeholder("id")), sql`${assignments.status} in ('claiming', 'assigned')`))
    // Losing this commit in a crash is repaired by the reconciler, so it need not wait for the disk.
    .returning({ commit: sql`set_config('synchronous_commit', 'off', true)` })
    .prepare("claim-finish"),
);

/**
 * The rest of the saga, for an assignment that is `claiming`. Safe to run from several places at once: the key is the
 * same, and only one of them makes it `claimed`.
 */
export async function finishClaim(ctx: ClaimContext, claim: Claim, traceparent?: string): Promise<ClaimResult> {
  const { transactionId, balanceMinor } = await credit(ctx, claim, traceparent);
  const [claimed] = await markClaimed(ctx.db).execute({ id: claim.assignment.id, transactionId, balanceMinor });
  if (claimed !== undefined)
    return toResult({ ...claim.assignment, transactionId, balanceMinor }, claim.promotion, false);
  const [finished] = await ctx.db.select().from(assignments).where(eq(assignments.id, claim.assignment.id));
  return toResult(finished ?? claim.assignment, claim.promotion, true);
}

/** A claim that begins just when another attempt is refused, or the promotion changes; twice in a row is most unlikely. */
const BEGIN_RETRIES_MAX = 5;

const isUnderWay = sql`${assignments.status} = 'claiming'`;

const markClaiming = builtOnce((db: Database) =>
  db
    .update(assignments)
    .set({
      status: sql`'claiming'`,
      claimingAt: sql`case when ${isUnderWay} then ${assignments.claimingAt} else now() end`,
      attemptedAt: sql`now()`,
      openAttempts: sql`case when ${isUnderWay} then ${assignments.openAttempts} + 1 else 1 end`,
    })
    .from(promotions)
    .where(
      and(
        eq(assignments.playerId, sql.placeholder("playerId")),
        eq(assignments.promotionId, sql.placeholder("promotionId")),
        eq(promotions.id, assignments.promotionId),
        or(
          isUnderWay,
          and(
            eq(assignments.status, "assigned"),
            eq(promotions.status, "active"),
            lte(promotions.startsAt, sql`now()`),
            gt(promotions.endsAt, sql`now()`),
          ),
        ),
      ),
    )
    .returning({
      ...getTableColumns(assignments),
      attemptedBefore: sql<string | null>`old.attempted_at::text`,
      amountMinor: promotions.amountMinor,
      currency: promotions.currency,
    })
    .prepare("claim-begin"),
);

/**
 * `assigned → claiming`, guarded by the row's state and by the promotion being active now; or one more attempt at what is
 * `claiming` already, whatever has become of the promotion; or what is there.
 */
async function beginClaim(
  ctx: ClaimContext,
  input: { playerId: string; promotionId: string },
  retries = BEGIN_RETRIES_MAX,
): Promise<Claim> {
  const isThisOne = and(eq(assignments.playerId, input.playerId), eq(assignments.promotionId, input.promotionId));
  const [begun] = await markClaiming(ctx.db).execute(input);
  if (begun !== undefined) {
    const { attemptedBefore, amountMinor, currency, ...assignment } = begun;
    return { assignment, promotion: { id: assignment.promotionId, amountMinor, currency }, attemptedBefore };
  }
  const [found] = await ctx.db
    .select({ assignment: assignments, promotion: promotions })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(isThisOne);
  if (found === undefined) {
    throw new AppError("not_found", "promotion_not_assigned", "This promotion is not assigned to you.");
  }
  switch (found.assignment.status) {
    case "claimed":
      return found;
    case "revoked":
      throw new AppError("failed_precondition", "promotion_revoked", "This promotion was withdrawn from you.");
    case "claiming":
    case "assigned": {
      const inactivity =
        found.assignment.status === "claiming" ? undefined : findInactivity(found.promotion, new Date());
      // Another attempt has begun since we tried, or the promotion has just become active.
      if (inactivity === undefined && retries > 0) return beginClaim(ctx, input, retries - 1);
      throw inactivity ?? promotionNotActive("The promotion was not active a moment ago; try again.");
    }
  }
}

async function credit(
  ctx: ClaimContext,
  claim: Claim,
  traceparent: string | undefined,
): Promise<AddTransactionResponse> {
  const { assignment, promotion } = claim;
  try {
    return await ctx.balance.addTransaction(
      {
        idempotencyKey: assignment.id,
        userId: assignment.playerId,
        type: TransactionType.TRANSACTION_TYPE_CREDIT,
        amountMinor: promotion.amountMinor,
        currency: promotion.currency,
        description: "Promotion claimed",
        reference: `promotion:${promotion.id}`,
      },
      traceparent === undefined ? {} : { metadata: Metadata({ traceparent }) },
    );
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    switch (error.code) {
      case Status.FAILED_PRECONDITION:
      case Status.NOT_FOUND: {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        await abandonAttempt(ctx, claim);
        throw refusal;
      }
      case Status.UNAVAILABLE:
      case Status.DEADLINE_EXCEEDED:
      case Status.CANCELLED:
      case Status.UNKNOWN:
      case Status.INTERNAL:
      case Status.RESOURCE_EXHAUSTED:
        throw unavailable("balance_unavailable", "The balance", error);
      default:
        // UNAUTHENTICATED, ALREADY_EXISTS, INVALID_ARGUMENT …: a defect or a wrong deployment, for the operators.
        throw error;
    }
  }
}

/**
 * Users refused this attempt for good. When it has refused all that are open, the assignment is the player's to claim
 * again once the reason is gone. While another is open, Users may yet credit that one: it, or the reconciler, decides, which
 * this attempt does not keep waiting.
 */
async function abandonAttempt(ctx: ClaimContext, { assignment, attemptedBefore }: Claim): Promise<void> {
  const { id, status, claimingAt, attemptedAt, openAttempts, takeovers } = assignments;
  const isLast = sql`${openAttempts} <= 1`;
  const isNewest = sql`${attemptedAt} = ${assignment.attemptedAt?.toISOString()}::timestamptz`;
  const restOpen =
    attemptedBefore === undefined
      ? attemptedAt
      : sql`case when ${isNewest} then ${attemptedBefore}::timestamptz else ${attemptedAt} end`;
  await ctx.db
    .update(assignments)
    .set({
      status: sql`case when ${isLast} then 'assigned' else ${status} end`,
      claimingAt: sql`case when ${isLast} then null else ${claimingAt} end`,
      attemptedAt: sql`case when ${isLast} then null else ${restOpen} end`,
      openAttempts: sql`greatest(${openAttempts} - 1, 0)`,
    })
    .where(and(eq(id, assignment.id), eq(status, "claiming"), eq(takeovers, assignment.takeovers)));
}

/** @returns why Users refused for good; undefined for a wrong deployment, such as two services with two currencies */
function refusalOf(error: ClientError): AppError | undefined {
  switch (error.details.split(":")[0]) {
    case "player_not_active":
    case "player_not_found":
      return new AppError("permission_denied", "player_not_active", "This account can't claim promotions at present.", {
        cause: error,
      });
    case "balance_limit":
      return new AppError("failed_precondition", "balance_limit", "The balance can't take this amount.", {
        cause: error,
      });
    default:
      return undefined;
  }
}

function toResult(assignment: Assignment, promotion: Claim["promotion"], replayed: boolean): ClaimResult {
  const { transactionId, balanceMinor } = assignment;
  if (transactionId === null || balanceMinor === null) {
    throw new Error(`assignment ${assignment.id} is ${assignment.status} and has no transaction`);
  }
  const { id: promotionId, amountMinor, currency } = promotion;
  return { promotionId, transactionId, amountMinor, currency, balanceMinor, replayed };
}
