import { type SQL, sql } from "drizzle-orm";
import { promotions } from "../../../drizzle/promotions/schema.ts";

/** What may be due of a promotion's assignments. Whoever was told that theirs soon runs out is in an index of their own. */
export const DUES = ["expired", "expiredTold", "expiring"] as const;
export type Due = (typeof DUES)[number];

/** Of what was assigned up to then, the time is over; of a row of `promotions`. */
const expiredUpTo = sql`case
  when ${promotions.status} = 'ended' or ${promotions.endsAt} <= statement_timestamp() then 'infinity'::timestamptz
  when ${promotions.claimWithinHours} is null then '-infinity'::timestamptz
  else statement_timestamp() - make_interval(hours => ${promotions.claimWithinHours}) end`;

/** What was assigned up to then is over in less than the notice, and had at least twice as long to live. */
function expiringUpTo(noticeHours: number): SQL {
  const notice = sql`make_interval(hours => ${noticeHours}::int)`;
  return sql`case
    when ${promotions.status} <> 'active' or ${promotions.claimWithinHours} < 2 * ${noticeHours}::int then '-infinity'::timestamptz
    when ${promotions.endsAt} <= statement_timestamp() + ${notice} then ${promotions.endsAt} - 2 * ${notice}
    when ${promotions.claimWithinHours} is null then '-infinity'::timestamptz
    else least(statement_timestamp() + ${notice} - make_interval(hours => ${promotions.claimWithinHours}),
      ${promotions.endsAt} - 2 * ${notice}) end`;
}

/**
 * What is due of a row of `promotions`, by the clock of the statement, as a condition on `assignments` that one index serves: its
 * columns are promotion, time of the assignment, id.
 *
 * @param noticeHours how long before the end a player is told
 */
export function isDue(due: Due, noticeHours: number): SQL {
  const isOpen = sql`assignments.promotion_id = ${promotions.id} and assignments.status = 'assigned'`;
  switch (due) {
    case "expired":
      return sql`${isOpen} and assignments.expiry_told_at is null and assignments.assigned_at <= ${expiredUpTo}`;
    case "expiredTold":
      return sql`${isOpen} and assignments.expiry_told_at is not null and assignments.assigned_at <= ${expiredUpTo}`;
    case "expiring":
      return sql`${isOpen} and assignments.expiry_told_at is null and assignments.assigned_at > ${expiredUpTo}
        and assignments.assigned_at <= ${expiringUpTo(noticeHours)}`;
  }
}
