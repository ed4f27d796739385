import { and, eq, isNull, lte, or, sql } from "drizzle-orm";
import { assignments, players, promotionSlots, promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { builtOnce, type Database } from "../../../lib/postgres.ts";
import { isBeforeDeadline } from "../assignments/deadline.ts";
import type { PromotionsContext } from "../context.ts";
import { hasCap, isCapped } from "../promotions/cap.ts";
import {
  assignmentExpired,
  findInactivity,
  type Promotion,
  playerNotVerified,
  promotionExhausted,
  promotionNotActive,
  promotionRevoked,
} from "../promotions/promotion.ts";

/** A claim that was begun, and what its credit needs. */
export interface Claim {
  assignmentId: string;
  playerId: string;
  /** the idempotency key of the credit */
  key: string;
  promotion: Pick<Promotion, "id" | "amountMinor" | "currency">;
}

/** A claim that was paid. */
export interface PaidClaim {
  promotion: Claim["promotion"];
  transactionId: string;
  /** the balance right after the credit */
  balanceMinor: number;
}

/** A claim that begins just when another attempt is refused, or the promotion changes; twice in a row is most unlikely. */
const BEGIN_RETRIES_MAX = 5;

const isUnderWay = sql`${assignments.status} = 'claiming'`;

const nextKey = sql`case ${assignments.keysVoided} when 0 then ${assignments.id}::text
  else ${assignments.id}::text || ':' || ${assignments.keysVoided} end`;

/** What an attempt writes, whether it is the first or joins one that is under way. */
const attempt = {
  status: sql`'claiming'`,
  claimingAt: sql`case when ${isUnderWay} then ${assignments.claimingAt} else now() end`,
  attemptedAt: sql`now()`,
  claimKey: sql`case when ${isUnderWay} then ${assignments.claimKey} else ${nextKey} end`,
};

/** The promotion's end is a deadline too. */
const isActive = and(eq(promotions.status, "active"), lte(promotions.startsAt, sql`now()`), isBeforeDeadline);

/** By our copy of the players, in the statement that begins the claim. */
const isVerifiedIfNeeded = sql`(not ${promotions.requiresVerification}
  or exists (select from ${players} where ${players.id} = ${assignments.playerId} and ${players.verified}))`;

const isThisOne = and(
  eq(assignments.playerId, sql.placeholder("playerId")),
  eq(assignments.promotionId, sql.placeholder("promotionId")),
);

/** A row of `assignments` and `promotions` as the claim that is under way there. */
export const claimColumns = {
  assignmentId: assignments.id,
  playerId: assignments.playerId,
  key: sql<string>`${assignments.claimKey}`,
  promotion: { id: promotions.id, amountMinor: promotions.amountMinor, currency: promotions.currency },
};

const begin = builtOnce((db: Database) =>
  db
    .update(assignments)
    .set(attempt)
    .from(promotions)
    .where(
      and(
        isThisOne,
        eq(promotions.id, assignments.promotionId),
        or(
          isUnderWay,
          and(
            eq(assignments.status, "assigned"),
            isActive,
            isVerifiedIfNeeded,
            isNull(promotions.maxClaims),
            isNull(promotions.budgetMinor),
          ),
        ),
      ),
    )
    .returning(claimColumns)
    .prepare("claim-begin"),
);

/**
 * One statement that takes a slot of the cap and begins the claim, or does neither. The assignment is locked before, so that
 * attempts at once take one slot. A slot that nobody is at goes first; only when there is none, it waits for one.
 *
 * @returns the claim; "exhausted" if nothing is left of the cap; undefined if it can't be begun for another reason
 */
async function beginWithCap(ctx: PromotionsContext, input: ClaimInput): Promise<Claim | "exhausted" | undefined> {
  const [row] = await ctx.db.execute<{
    assignment_id: string | null;
    key: string;
    amount_minor: string;
    currency: string;
  }>(sql`
    with candidate as (
      select ${assignments.id}, ${nextKey} as key, ${promotions.amountMinor}, ${promotions.currency}
      from ${assignments} join ${promotions} on ${promotions.id} = ${assignments.promotionId}
      where ${assignments.playerId} = ${input.playerId}::uuid and ${assignments.promotionId} = ${input.promotionId}::uuid
        and ${assignments.status} = 'assigned' and ${isActive} and ${isVerifiedIfNeeded} and ${hasCap}
      for update of assignments
    ), free as (
      select slot from ${promotionSlots}
      where promotion_id = ${input.promotionId}::uuid and used < capacity and exists (select from candidate)
      order by random() limit 1 for update skip locked
    ), waited_for as (
      select slot from ${promotionSlots}
      where promotion_id = ${input.promotionId}::uuid and used < capacity and exists (select from candidate)
        and not exists (select from free)
      order by slot limit 1 for update
    ), taken as (
      update ${promotionSlots} set used = used + 1
      from (select slot from free union all select slot from waited_for) as chosen
      where promotion_slots.promotion_id = ${input.promotionId}::uuid and promotion_slots.slot = chosen.slot
      returning promotion_slots.slot
    ), begun as (
      update ${assignments} set status = 'claiming', claiming_at = now(), attempted_at = now(),
        claim_key = candidate.key, slot = taken.slot
      from candidate, taken where ${assignments.id} = candidate.id
      returning ${assignments.id}
    )
    select begun.id as assignment_id, candidate.key, candidate.amount_minor, candidate.currency
    from candidate left join begun on true`);
  if (row === undefined) return undefined;
  if (row.assignment_id === null) return "exhausted";
  const { assignment_id: assignmentId, key, amount_minor, currency } = row;
  const promotion = { id: input.promotionId, amountMinor: Number(amount_minor), currency };
  return { assignmentId, playerId: input.playerId, key, promotion };
}

interface ClaimInput {
  playerId: string;
  promotionId: string;
}

/**
 * `assigned → claiming`, guarded by the row's state, by the promotion being active now, by the deadline, by the player's verification
 * where it is needed, and by the cap; or one more attempt at what is `claiming` already, whatever has become of the promotion and the
 * deadline; or what was paid.
 *
 * @throws AppError `promotion_not_assigned`, `promotion_not_active`, `promotion_revoked`, `assignment_expired`, `player_not_verified`,
 * `promotion_exhausted`
 */
export async function beginClaim(
  ctx: PromotionsContext,
  input: ClaimInput,
  retries = BEGIN_RETRIES_MAX,
): Promise<Claim | PaidClaim> {
  const [begun] = await begin(ctx.db).execute({ playerId: input.playerId, promotionId: input.promotionId });
  if (begun !== undefined) return begun;
  const [found] = await ctx.db
    .select({
      assignment: assignments,
      promotion: promotions,
      verified: players.verified,
      isInTime: sql<boolean>`${isBeforeDeadline}`,
    })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .leftJoin(players, eq(players.id, assignments.playerId))
    .where(and(eq(assignments.playerId, input.playerId), eq(assignments.promotionId, input.promotionId)));
  if (found === undefined) {
    throw new AppError("not_found", "promotion_not_assigned", "This promotion is not assigned to you.");
  }
  const { assignment, promotion, verified, isInTime } = found;
  switch (assignment.status) {
    case "claimed":
      return toPaidClaim(assignment, promotion);
    case "revoking":
    case "revoked":
      throw promotionRevoked();
    case "expired":
      // What is wrong with the promotion itself comes first, whether the expirer has been here or not.
      throw findInactivity(promotion, new Date()) ?? assignmentExpired();
    case "claiming":
    case "assigned": {
      const inactivity = assignment.status === "claiming" ? undefined : findInactivity(promotion, new Date());
      if (inactivity !== undefined) throw inactivity;
      if (assignment.status === "assigned" && !isInTime) throw assignmentExpired();
      if (assignment.status === "assigned" && promotion.requiresVerification && verified !== true) {
        throw playerNotVerified();
      }
      const withCap = isCapped(promotion) ? await beginWithCap(ctx, input) : undefined;
      if (withCap === "exhausted") throw promotionExhausted();
      if (withCap !== undefined) return withCap;
      // Another attempt has begun since we tried, or the promotion has just become active, or has a cap since.
      if (retries > 0) return beginClaim(ctx, input, retries - 1);
      throw promotionNotActive("The promotion was not active a moment ago; try again.");
    }
  }
}

/** @throws Error if the assignment is not `claimed` */
export function toPaidClaim(
  { id, status, transactionId, balanceMinor }: typeof assignments.$inferSelect,
  promotion: Claim["promotion"],
): PaidClaim {
  if (transactionId === null || balanceMinor === null) {
    throw new Error(`assignment ${id} is ${status} and has no transaction`);
  }
  return { promotion, transactionId, balanceMinor };
}
