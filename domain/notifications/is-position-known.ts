import { asking } from "./availability.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
import { type Position, START } from "./position.ts";

/**
 * @returns whether everything after the position can still be told: its notification is this player's and has not
 * expired. START is known, since nothing precedes it.
 * @throws AppError `database_unavailable`
 */
export async function isPositionKnown(
  ctx: NotificationsContext,
  input: { playerId: string; position: Position },
): Promise<boolean> {
  const [seq, id] = input.position;
  if (seq === START[0]) return true;
  const filter = { _id: id, playerId: input.playerId, seq };
  return (await asking(ctx, () => notificationsOf(ctx).findOne(filter, { projection: { _id: 1 } }))) !== null;
}
