import type { Filter } from "mongodb";
import { invalidCursor, toPage } from "../../lib/cursor.ts";
import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
import { isPositionKnown } from "./is-position-known.ts";
import type { Notification } from "./notification.ts";
import { decodePosition, encodePosition, positionOf } from "./position.ts";

/**
 * A player's notifications, the newest first, and how many of all are unread.
 *
 * @param input.unread only those that are not read
 * @param input.limit at most this many, 1 to 100
 * @throws AppError `invalid_cursor`, `database_unavailable`
 */
export async function listNotifications(
  ctx: NotificationsContext,
  input: { playerId: string; unread: boolean; limit: number; cursor?: string | undefined },
): Promise<{ data: Notification[]; nextCursor: string | null; unreadCount: number }> {
  const { playerId, limit } = input;
  const position = input.cursor === undefined ? undefined : decodePosition(input.cursor);
  const filter: Filter<Notification> = {
    playerId,
    ...(input.unread ? { readAt: null } : {}),
    ...(position === undefined ? {} : { seq: { $lt: position[0] } }),
  };
  const notifications = notificationsOf(ctx);
  const [[rows, unreadCount], isKnown] = await Promise.all([
    asking(ctx, () =>
      Promise.all([
        notifications
          .find(filter)
          .sort({ seq: -1 })
          .limit(limit + 1)
          .toArray(),
        notifications.countDocuments({ playerId, readAt: null }),
      ]),
    ),
    position === undefined || isPositionKnown(ctx, { playerId, position }),
  ]);
  // Another player's: their positions are in another partition, and say nothing of this list.
  if (!isKnown) throw invalidCursor();
  return { ...toPage(rows, limit, (row) => encodePosition(positionOf(row))), unreadCount };
}
