import { isNotNull, or, sql } from "drizzle-orm";
import { assignments, promotionSlots, promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { Promotion } from "./promotion.ts";

/**
 * Into how many parts a cap is divided. Claims at once take theirs from different ones, which keeps them from waiting for each
 * other's commits; more than there are connections to the database would be of no use.
 */
const SLOTS = 16;

/** What decides how many claims there may be. */
export const CAP_FIELDS = ["maxClaims", "budgetMinor", "amountMinor"] as const;

type Caps = Pick<Promotion, "maxClaims" | "budgetMinor">;

export const hasCap = or(isNotNull(promotions.maxClaims), isNotNull(promotions.budgetMinor));

/** Of a row of `promotions`: nothing is left of its cap. */
export const isExhausted = sql<boolean>`case when ${hasCap} then
  (select sum(used) >= sum(capacity) from ${promotionSlots} where ${promotionSlots.promotionId} = ${promotions.id}) else false end`;

export const isCapped = ({ maxClaims, budgetMinor }: Caps) => maxClaims !== null || budgetMinor !== null;

/** @returns how many claims the caps allow; undefined if there is none */
export function claimsAllowed({
  maxClaims,
  budgetMinor,
  amountMinor,
}: Caps & { amountMinor: number }): number | undefined {
  const bounds = [maxClaims, budgetMinor === null ? null : Math.floor(budgetMinor / amountMinor)];
  const given = bounds.filter((bound) => bound !== null);
  return given.length === 0 ? undefined : Math.min(...given);
}

/** @throws AppError `budget_too_small` if the budget doesn't pay a single claim */
export function checkBudget({ budgetMinor, amountMinor }: { budgetMinor: number | null; amountMinor: number }): void {
  if (budgetMinor === null || budgetMinor >= amountMinor) return;
  throw new AppError("invalid_argument", "budget_too_small", "The budget must be enough for one claim at least.", {
    errors: [{ path: "body.budgetMinor", code: "budget_too_small", message: `must be at least ${amountMinor}` }],
  });
}

/**
 * Makes the cap of a promotion what its row says, exactly, while claims go on. Where there was none before, it counts what was
 * claimed; meanwhile nobody writes assignments, which takes as long as counting.
 *
 * @param tx the transaction that has locked the promotion's row
 * @param promotion as it is from now on
 * @param mayHaveClaims whether claims without a cap may have been begun before
 * @throws AppError `cap_below_used`
 */
export async function applyCap(tx: Queryable, promotion: Promotion, mayHaveClaims: boolean): Promise<void> {
  const allowed = claimsAllowed(promotion);
  const isThis = sql`promotion_id = ${promotion.id}::uuid`;
  if (allowed === undefined) {
    await tx.execute(sql`delete from ${promotionSlots} where ${isThis}`);
    return;
  }
  // In order, as all who take several.
  const slots = await tx.execute<{ slot: number; used: string }>(
    sql`select slot, used from ${promotionSlots} where ${isThis} order by slot for update`,
  );
  const used = Array<number>(SLOTS).fill(0);
  for (const slot of slots) used[slot.slot] = Number(slot.used);
  if (slots.length === 0 && mayHaveClaims) {
    // From here on no claim is begun that doesn't see the cap: a statement takes this lock before it looks.
    await tx.execute(sql`lock table ${assignments} in share mode`);
    const counted = await tx.execute<{ slot: number; used: string }>(sql`
      select coalesce(slot, 0)::int as slot, count(*) as used from ${assignments}
      where ${isThis} and status in ('claiming', 'claimed', 'revoking') group by 1`);
    for (const { slot, used: count } of counted) used[slot] = Number(count);
  }
  const usedInAll = used.reduce((sum, part) => sum + part, 0);
  if (allowed < usedInAll) {
    throw new AppError(
      "failed_precondition",
      "cap_below_used",
      `${usedInAll} claims are paid or under way, so the cap can't be lowered to ${allowed}.`,
    );
  }
  const rest = allowed - usedInAll;
  const capacity = used.map((part, slot) => part + Math.floor(rest / SLOTS) + (slot < rest % SLOTS ? 1 : 0));
  await tx.execute(sql`
    insert into ${promotionSlots} (promotion_id, slot, capacity, used)
    select ${promotion.id}::uuid, slot - 1, capacity, used
    from unnest(${sql.param(capacity)}::bigint[], ${sql.param(used)}::bigint[]) with ordinality as part (capacity, used, slot)
    on conflict (promotion_id, slot) do update set capacity = excluded.capacity`);
}
