import type { Filter } from "mongodb";
import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
import type { Notification } from "./notification.ts";
import type { Position } from "./position.ts";

/**
 * The notifications that follow a position, the oldest first.
 *
 * @param input.unreadUpTo only those that are not read, up to and including this position
 * @param input.limit at most this many
 * @throws AppError `database_unavailable`
 */
export async function findAfter(
  ctx: NotificationsContext,
  input: { playerId: string; after: Position; unreadUpTo?: Position | undefined; limit: number },
): Promise<Notification[]> {
  const { playerId, after, unreadUpTo } = input;
  const filter: Filter<Notification> =
    unreadUpTo === undefined
      ? { playerId, seq: { $gt: after[0] } }
      : { playerId, readAt: null, seq: { $gt: after[0], $lte: unreadUpTo[0] } };
  return asking(ctx, () => notificationsOf(ctx).find(filter).sort({ seq: 1 }).limit(input.limit).toArray());
}
