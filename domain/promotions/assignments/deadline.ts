import { eq, gt, or, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";

/**
 * Until when an assignment can be claimed, of a row of `assignments` and `promotions`: the promotion's end, or the end of the hours
 * that the player has to claim it, whichever is earlier. It is derived, so it moves with the end; it runs on while the promotion
 * is paused. A promotion that was ended by hand has its end there: nothing else is changed afterwards.
 */
export const expiresAt = sql`least(
  ${promotions.endsAt},
  case when ${promotions.status} = 'ended' then ${promotions.updatedAt} end,
  ${assignments.assignedAt} + make_interval(hours => ${promotions.claimWithinHours})
)`.mapWith(promotions.endsAt);

/** The deadline lies ahead, by the database's clock. */
export const isBeforeDeadline = gt(expiresAt, sql`now()`);

/** What is assigned has run out, whether it is marked or not. */
export const isOverdue = sql<boolean>`(${or(eq(promotions.status, "ended"), sql`${expiresAt} <= now()`)})`;
