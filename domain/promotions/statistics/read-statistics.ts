import { type SQL, sql } from "drizzle-orm";
import {
  assignmentChanges,
  assignments,
  promotionQuarters,
  promotionSlots,
  promotionStatistics,
  promotions,
} from "../../../drizzle/promotions/schema.ts";
import { type Moment, momentSql } from "../../../lib/report-time.ts";
import type { PromotionsContext } from "../context.ts";
import { promotionNotFound } from "../promotions/promotion.ts";

/** The figures of a promotion. Each assignment is open, claimed, expired or revoked. Money in minor units. */
export interface Statistics {
  assigned: number;
  /** can be claimed, or a claim is under way */
  open: number;
  /** paid, and not taken back */
  claimed: number;
  /** can't be claimed any more, marked or not */
  expired: number;
  /** withdrawn, those included that had been paid */
  revoked: number;
  /** the share of `assigned` that is `claimed`, 0 to 1 */
  claimRate: number;
  /** net of what was taken back */
  paidMinor: number;
  /** what the open ones may cost, which is no more than the cap leaves */
  openMinor: number;
  /** the share of the cap that is paid or being paid, 0 to 1; null without a cap */
  capUsed: number | null;
  reversedMinor: number;
  /** the moment of which these figures are exact */
  asOf: Date;
}

/** What was assigned on a day, and what of today's claimed was claimed on it. */
export interface DayStatistics {
  /** such as 2026-11-24 */
  day: string;
  assigned: number;
  claimed: number;
  paidMinor: number;
}

type Row = Record<"assigned" | "open" | "claimed" | "expired" | "revoked" | "reversed" | "amount_minor", string> & {
  id: string;
  as_of_ms: string;
  /** claims that are under way */
  claiming: string;
  /** past the deadline that the assignment itself has, and not marked yet */
  overdue: string;
  is_over: boolean;
  /** of the cap; null without one */
  capacity: string | null;
  used: string | null;
};

const COUNTS = sql`promotion_id, assigned, open, claimed, expired, revoked, reversed`;

/** Few, unless the expirer stands still. Counted apart, since each has an index of its own. */
const overdueOf = (told: SQL) => sql`(
  select count(*) from ${assignments} where promotion_id = p.id and status = 'assigned' and expiry_told_at ${told}
    and assigned_at <= now() - make_interval(hours => p.claim_within_hours))`;

/** Of the promotions in `chosen`: the counts with what is not folded into them yet, and the cap, of one moment. */
const figures = sql`
  select p.id, p.amount_minor, p.status = 'ended' or p.ends_at <= now() as is_over, extract(epoch from now()) * 1000 as as_of_ms,
    coalesce(n.assigned, 0) as assigned, coalesce(n.open, 0) as open, coalesce(n.claimed, 0) as claimed,
    coalesce(n.expired, 0) as expired, coalesce(n.revoked, 0) as revoked, coalesce(n.reversed, 0) as reversed,
    coalesce(u.claiming, 0) as claiming, slots.capacity, slots.used,
    case when p.claim_within_hours is null then 0 else ${overdueOf(sql`is null`)} + ${overdueOf(sql`is not null`)} end as overdue
  from chosen p
  left join (
    select promotion_id, sum(assigned) as assigned, sum(open) as open, sum(claimed) as claimed, sum(expired) as expired,
      sum(revoked) as revoked, sum(reversed) as reversed
    from (
      select ${COUNTS} from ${promotionStatistics} where promotion_id in (select id from chosen)
      union all select ${COUNTS} from ${assignmentChanges} where promotion_id in (select id from chosen)
    ) as parts group by 1
  ) as n on n.promotion_id = p.id
  left join (select promotion_id, count(*) as claiming from under_way group by 1) as u on u.promotion_id = p.id
  left join (
    select promotion_id, sum(capacity) as capacity, sum(used) as used from ${promotionSlots}
    where promotion_id in (select id from chosen) group by 1
  ) as slots on slots.promotion_id = p.id`;

/** Few, whatever the promotion: found by their own index, before anything is joined. */
const underWay = sql`under_way as materialized (select promotion_id from ${assignments} where status = 'claiming')`;

/**
 * The figures of several promotions, exact as of the moment at which they are read: the counts that are kept
 * (foldChanges) and what has changed since.
 *
 * @returns by the promotion's id; without those that don't exist
 */
export async function readStatisticsOf(
  ctx: Pick<PromotionsContext, "db">,
  promotionIds: string[],
): Promise<Map<string, Statistics>> {
  const rows = await ctx.db.execute<Row>(sql`
    with chosen as materialized (
      select id, status, ends_at, amount_minor, claim_within_hours from ${promotions} where id = any(${sql.param(promotionIds)}::uuid[])
    ), ${underWay} ${figures}`);
  return new Map(rows.map((row) => [row.id, toStatistics(row)]));
}

/**
 * The figures of one promotion, in all and by days.
 *
 * @param input.from only days that end after it; of `perDay` alone
 * @param input.to only days that begin before it; of `perDay` alone
 * @param input.timeZone IANA's name of the zone whose days they are
 * @returns with the days on which something happened, in their order
 * @throws AppError `promotion_not_found`
 */
export async function readStatistics(
  ctx: Pick<PromotionsContext, "db">,
  input: { promotionId: string; from?: Moment | undefined; to?: Moment | undefined; timeZone: string },
): Promise<Statistics & { currency: string; perDay: DayStatistics[] }> {
  const { promotionId, from, to, timeZone } = input;
  const zone = sql`${timeZone}::text`;
  const endsAfter =
    from === undefined ? sql`true` : sql`(day + 1)::timestamp at time zone ${zone} > ${momentSql(from, timeZone)}`;
  const beginsBefore =
    to === undefined ? sql`true` : sql`day::timestamp at time zone ${zone} < ${momentSql(to, timeZone)}`;
  // One statement, so that the days and the sums are of one moment.
  const [row] = await ctx.db.execute<
    Row & { currency: string; per_day: { day: string; assigned: number; claimed: number }[] | null }
  >(sql`
    with chosen as materialized (
      select id, status, ends_at, amount_minor, claim_within_hours, currency from ${promotions} where id = ${promotionId}::uuid
    ), ${underWay}, days as (
      select (quarter at time zone ${zone})::date as day, sum(assigned) as assigned, sum(claimed) as claimed
      from (
        select quarter, assigned, claimed from ${promotionQuarters} where promotion_id = ${promotionId}::uuid
        union all select quarter, assigned, claimed from ${assignmentChanges} where promotion_id = ${promotionId}::uuid
      ) as parts group by 1 having (sum(assigned), sum(claimed)) <> (0, 0)
    )
    select figures.*, (select currency from chosen), (
      select json_agg(json_build_object('day', day, 'assigned', assigned, 'claimed', claimed) order by day) from days
      where ${endsAfter} and ${beginsBefore}
    ) as per_day
    from (${figures}) as figures`);
  if (row === undefined) throw promotionNotFound();
  const amountMinor = Number(row.amount_minor);
  const perDay = (row.per_day ?? []).map((day) => ({ ...day, paidMinor: day.claimed * amountMinor }));
  return { ...toStatistics(row), currency: row.currency, perDay };
}

function toStatistics(row: Row): Statistics {
  const [assigned, open, claimed] = [Number(row.assigned), Number(row.open), Number(row.claimed)];
  const [revoked, reversed, amountMinor] = [Number(row.revoked), Number(row.reversed), Number(row.amount_minor)];
  // What is assigned when the promotion is over has expired; a claim that was begun is finished.
  const overdue = row.is_over ? open - Number(row.claiming) : Number(row.overdue);
  const stillOpen = open - overdue;
  const left = row.capacity === null ? stillOpen : Math.max(0, Number(row.capacity) - claimed);
  return {
    assigned,
    open: stillOpen,
    claimed,
    expired: Number(row.expired) + overdue,
    revoked: revoked + reversed,
    claimRate: assigned === 0 ? 0 : toShare(claimed / assigned),
    paidMinor: claimed * amountMinor,
    openMinor: Math.min(stillOpen, left) * amountMinor,
    capUsed: row.capacity === null ? null : toShare(Number(row.used) / Number(row.capacity)),
    reversedMinor: reversed * amountMinor,
    asOf: new Date(Math.floor(Number(row.as_of_ms))),
  };
}

/** Four decimals. */
const toShare = (share: number) => Math.round(share * 10_000) / 10_000;
