import { and, eq, gt, isNull, lte, or, sql } from "drizzle-orm";
import { assignments, players, promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import type { PlayerEvent } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { Database, Queryable } from "../../../lib/postgres.ts";
import { assignedEvent, type Promotion } from "../promotions/promotion.ts";
import { lockWelcomeBonuses } from "../promotions/welcome-bonus-lock.ts";

/**
 * The effect of topic `player`: keeps our copy of the players, and assigns to each new one the welcome bonus that was
 * active at the time of their registration. One transaction; the same events again change nothing.
 *
 * @param received events with the trace each belongs to
 * @returns how many welcome bonuses were assigned
 */
export async function recordPlayerEvents(
  ctx: { db: Database },
  received: { event: PlayerEvent; traceparent?: string | undefined }[],
): Promise<number> {
  // By player, as assignPromotion goes, so that the two can't deadlock; a stable sort keeps each player's order.
  const inLockOrder = received.toSorted((a, b) =>
    a.event.subject < b.event.subject ? -1 : Number(a.event.subject > b.event.subject),
  );
  return ctx.db.transaction(async (tx) => {
    await lockWelcomeBonuses(tx, "read");
    let assigned = 0;
    for (const { event, traceparent } of inLockOrder) {
      const at = new Date(event.time);
      switch (event.type) {
        case "PLAYER_REGISTERED":
          await tx
            .insert(players)
            .values({ id: event.data.playerId, statusAt: at, registeredAt: at })
            .onConflictDoUpdate({ target: players.id, set: { registeredAt: at } });
          if (await assignWelcomeBonus(tx, event.data.playerId, at, traceparent)) assigned += 1;
          break;
        case "PLAYER_STATUS_CHANGED":
          await tx
            .insert(players)
            .values({ id: event.data.playerId, status: event.data.status, statusAt: at })
            .onConflictDoUpdate({
              target: players.id,
              set: { status: event.data.status, statusAt: at },
              setWhere: lte(players.statusAt, at),
            });
          break;
        case "PLAYER_VERIFICATION_CHANGED":
          await tx
            .insert(players)
            // Whoever it comes first for: any status is newer than the one that is assumed.
            .values({ id: event.data.playerId, statusAt: new Date(0), verified: event.data.verified, verifiedAt: at })
            .onConflictDoUpdate({
              target: players.id,
              set: { verified: event.data.verified, verifiedAt: at },
              setWhere: or(isNull(players.verifiedAt), lte(players.verifiedAt, at)),
            });
          break;
        default:
          throw new Error(`no effect for ${(event satisfies never as PlayerEvent).type}`);
      }
    }
    return assigned;
  });
}

async function assignWelcomeBonus(tx: Queryable, playerId: string, at: Date, traceparent: string | undefined) {
  const bonus = await findWelcomeBonusAt(tx, at);
  if (bonus === undefined) return false;
  const [assignment] = await tx
    .insert(assignments)
    .values({ playerId, promotionId: bonus.id })
    .onConflictDoNothing({ target: [assignments.playerId, assignments.promotionId] })
    .returning({ assignedAt: assignments.assignedAt });
  if (assignment === undefined) return false;
  await enqueueEvents(tx, [assignedEvent(bonus, playerId, assignment.assignedAt)], traceparent);
  return true;
}

/**
 * @returns the welcome bonus that was active at `at`: its window holds that time, and the last status it had taken by
 * then was `active`. At most one, by the exclusion constraint and because an ended one never comes back.
 */
async function findWelcomeBonusAt(db: Queryable, at: Date): Promise<Promotion | undefined> {
  const statusThen = sql`(
    select ${promotionStatusChanges.status} from ${promotionStatusChanges}
    where ${promotionStatusChanges.promotionId} = ${promotions.id} and ${promotionStatusChanges.changedAt} <= ${at.toISOString()}::timestamptz
    order by ${promotionStatusChanges.changedAt} desc, ${promotionStatusChanges.id} desc limit 1)`;
  const [bonus] = await db
    .select()
    .from(promotions)
    .where(
      and(
        eq(promotions.type, "WELCOME_BONUS"),
        lte(promotions.startsAt, at),
        gt(promotions.endsAt, at),
        eq(statusThen, "active"),
      ),
    )
    .orderBy(promotions.startsAt)
    .limit(1);
  return bonus;
}
