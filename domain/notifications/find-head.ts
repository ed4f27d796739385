import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
import { type Position, positionOf, START } from "./position.ts";

/**
 * @returns the position of a player's newest notification, START if there is none
 * @throws AppError `database_unavailable`
 */
export async function findHead(ctx: NotificationsContext, input: { playerId: string }): Promise<Position> {
  const newest = await asking(ctx, () =>
    notificationsOf(ctx).findOne({ playerId: input.playerId }, { sort: { seq: -1 }, projection: { seq: 1 } }),
  );
  return newest === null ? START : positionOf(newest);
}
