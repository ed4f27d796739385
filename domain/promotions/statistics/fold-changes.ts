import { sql } from "drizzle-orm";
import { assignmentChanges, promotionQuarters, promotionStatistics } from "../../../drizzle/promotions/schema.ts";
import type { PromotionsContext } from "../context.ts";

/** Advisory lock; any constant of our own. */
const FOLDING_LOCK = 7_013_003;

/**
 * Moves changes of assignments into the counts that they change. Who reads the figures sees them before or after, never in
 * between, and waits for nobody; nor does who claims. One replica at a time does it: the others find it done.
 *
 * @param input.changesMax how many are moved at most, which bounds how long it takes
 * @returns how many were moved
 */
export async function foldChanges(
  ctx: Pick<PromotionsContext, "db">,
  { changesMax }: { changesMax: number },
): Promise<number> {
  return ctx.db.transaction(async (tx) => {
    const [lock] = await tx.execute<{ held: boolean }>(
      sql`select pg_try_advisory_xact_lock(${FOLDING_LOCK}::bigint) as held`,
    );
    if (!lock?.held) return 0;
    const [folded] = await tx.execute<{ changes: number }>(sql`
      with taken as (
        delete from ${assignmentChanges}
        where ctid = any(array(select ctid from ${assignmentChanges} limit ${changesMax}::int)) returning *
      ), in_quarters as (
        insert into ${promotionQuarters} as q (promotion_id, quarter, assigned, claimed)
        select promotion_id, quarter, sum(assigned), sum(claimed) from taken
        group by 1, 2 having (sum(assigned), sum(claimed)) <> (0, 0)
        on conflict (promotion_id, quarter) do update
        set assigned = q.assigned + excluded.assigned, claimed = q.claimed + excluded.claimed
      ), in_all as (
        insert into ${promotionStatistics} as s (promotion_id, assigned, open, claimed, expired, revoked, reversed)
        select promotion_id, sum(assigned), sum(open), sum(claimed), sum(expired), sum(revoked), sum(reversed) from taken group by 1
        on conflict (promotion_id) do update set
          assigned = s.assigned + excluded.assigned, open = s.open + excluded.open, claimed = s.claimed + excluded.claimed,
          expired = s.expired + excluded.expired, revoked = s.revoked + excluded.revoked, reversed = s.reversed + excluded.reversed
      )
      select count(*)::int as changes from taken`);
    return folded?.changes ?? 0;
  });
}
