import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";

/**
 * Marks all of a player's notifications as read that are not yet.
 *
 * @throws AppError `database_unavailable`
 */
export async function markAllRead(ctx: NotificationsContext, input: { playerId: string }): Promise<void> {
  await asking(ctx, () =>
    notificationsOf(ctx).updateMany({ playerId: input.playerId, readAt: null }, { $set: { readAt: new Date() } }),
  );
}
