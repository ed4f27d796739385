import type { Filter } from "mongodb";
import { toPage } from "../../lib/cursor.ts";
import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
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
  const filter: Filter<Notification> = {
    playerId,
    ...(input.unread ? { readAt: null } : {}),
    ...(input.cursor === undefined ? {} : { seq: { $lt: decodePosition(input.cursor)[0] } }),
  };
  const notifications = notificationsOf(ctx);
  const [rows, unreadCount] = await asking(ctx, () =>
    Promise.all([
      notifications
        .find(filter)
        .sort({ seq: -1 })
        .limit(limit + 1)
        .toArray(),
      notifications.countDocuments({ playerId, readAt: null }),
    ]),
  );
  return { ...toPage(rows, limit, (row) => encodePosition(positionOf(row))), unreadCount };
}
