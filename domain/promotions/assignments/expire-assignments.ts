import { eq, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { PromotionsContext } from "../context.ts";
import { expiryEvent } from "../promotions/promotion.ts";
import { expiresAt } from "./deadline.ts";
import { type Due, isDue } from "./run-out.ts";

/** Advisory lock, with the promotion as its second part; any constant of our own. */
const EXPIRER_LOCK = 7_013_003;
const DAY_MS = 86_400_000;
/** What ran out longer ago is marked, and nobody is told: the whole history, when the first expirer starts. */
const TOLD_WITHIN_MS = 7 * DAY_MS;

/** A place among a promotion's assignments, by age: everything up to it was looked at. */
export interface Position {
  /** RFC 3339 */
  assignedAt: string;
  id: string;
}

interface Row extends Record<string, unknown> {
  id: string;
  player_id: string;
  assigned_ms: number;
  expires_ms: number;
  at_ms: number;
}

/**
 * Marks a batch of what has run out as `expired`, or notes that its players are told that it soon does, and announces each, in one
 * transaction. An assignment that somebody claims just now is left alone; the row's status decides between the two. Of one
 * promotion one batch at a time is under way, so that staff who change it get their turn.
 *
 * @param input.after where the batch before ended, so that none is looked at again: not even by an index full of dead entries
 * @returns how many were marked; how many of them were announced; where to go on, if there may be more
 */
export async function expireAssignments(
  ctx: Pick<PromotionsContext, "db">,
  input: { promotionId: string; due: Due; after?: Position | undefined; noticeHours: number; batchMax: number },
): Promise<{ marked: number; told: number; next?: Position }> {
  const { promotionId, due, after, noticeHours, batchMax } = input;
  return ctx.db.transaction(async (tx) => {
    const [lock] = await tx.execute<{ held: boolean }>(
      sql`select pg_try_advisory_xact_lock(${EXPIRER_LOCK}, hashtext(${promotionId})) as held`,
    );
    if (!lock?.held) return { marked: 0, told: 0 };
    // Locked, so that its end doesn't move before this is committed. Times are those of statements from here on.
    const [promotion] = await tx.select().from(promotions).where(eq(promotions.id, promotionId)).for("share");
    if (promotion === undefined) return { marked: 0, told: 0 };
    const isAfter =
      after === undefined
        ? sql`true`
        : sql`(assignments.assigned_at, assignments.id) > (${after.assignedAt}::timestamptz, ${after.id}::uuid)`;
    const mark =
      due === "expiring"
        ? sql`expiry_told_at = statement_timestamp()`
        : sql`status = 'expired', expired_at = statement_timestamp()`;
    const rows = await tx.execute<Row>(sql`
      with due as (
        select assignments.id from assignments, promotions
        where promotions.id = ${promotionId}::uuid and ${isDue(due, noticeHours)} and ${isAfter}
        order by assignments.assigned_at, assignments.id limit ${batchMax} for update of assignments skip locked
      )
      update ${assignments} set ${mark} from due, ${promotions}
      where ${assignments.id} = due.id and ${promotions.id} = ${promotionId}::uuid
      returning ${assignments.id}, ${assignments.playerId},
        extract(epoch from ${assignments.assignedAt})::float8 * 1000 as assigned_ms,
        extract(epoch from ${expiresAt})::float8 * 1000 as expires_ms,
        extract(epoch from statement_timestamp())::float8 * 1000 as at_ms`);
    const told = rows.filter(({ at_ms, expires_ms }) => at_ms - expires_ms < TOLD_WITHIN_MS);
    const type = due === "expiring" ? "PROMOTION_EXPIRING" : "PROMOTION_EXPIRED";
    await enqueueEvents(
      tx,
      told.map(({ player_id: playerId, at_ms, expires_ms }) =>
        expiryEvent(type, promotion, { playerId, at: toDate(at_ms), expiresAt: toDate(expires_ms) }),
      ),
    );
    const counts = { marked: rows.length, told: told.length };
    if (rows.length < batchMax) return counts; // what was locked is found by the next look
    const last = rows.reduce((one, other) => (isOlder(one, other) ? other : one));
    return { ...counts, next: { assignedAt: toDate(last.assigned_ms).toISOString(), id: last.id } };
  });
}

/** Times have milliseconds, and floats that are off by less. */
const toDate = (ms: number) => new Date(Math.round(ms));

const isOlder = (one: Row, other: Row) =>
  one.assigned_ms < other.assigned_ms || (one.assigned_ms === other.assigned_ms && one.id < other.id);
