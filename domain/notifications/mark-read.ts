import { AppError } from "../../lib/errors.ts";
import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";

/**
 * Marks one of a player's notifications as read. Once more changes nothing: the first time stays.
 *
 * @throws AppError `notification_not_found`, also if it is another player's; `database_unavailable`
 */
export async function markRead(ctx: NotificationsContext, input: { playerId: string; id: string }): Promise<void> {
  const own = { _id: input.id, playerId: input.playerId };
  const notifications = notificationsOf(ctx);
  const { matchedCount } = await asking(ctx, () =>
    notifications.updateOne({ ...own, readAt: null }, { $set: { readAt: new Date() } }),
  );
  if (matchedCount > 0) return;
  if ((await asking(ctx, () => notifications.findOne(own, { projection: { _id: 1 } }))) === null) {
    throw new AppError("not_found", "notification_not_found", `You have no notification ${input.id}.`);
  }
}
