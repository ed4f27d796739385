import { newEvent } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { StoreContext } from "../context.ts";
import { queueVerification } from "../mails/queue-verification.ts";
import { hashPassword } from "../passwords/passwords.ts";
import { insertUser } from "./insert-user.ts";
import type { User } from "./user.ts";

export interface RegisterPlayerInput {
  email: string;
  password: string;
  /** the trace to go on in the consumers of the event */
  traceparent: string | undefined;
}

/**
 * Registers a player. The row, PLAYER_REGISTERED and the mail to verify the address commit together; the event's time is the row's, so that the
 * welcome bonus is the one that was active at that time.
 *
 * @throws AppError `email_taken`, `passwords_busy`
 */
export async function registerPlayer(ctx: StoreContext, input: RegisterPlayerInput): Promise<User> {
  const { email, password, traceparent } = input;
  // Before the transaction: no connection is held while the hash is computed.
  const passwordHash = await hashPassword(password);
  return ctx.db.transaction(async (tx) => {
    const player = await insertUser(tx, { email, passwordHash, role: "player", currency: ctx.currency });
    const event = newEvent("/users", "PLAYER_REGISTERED", player.id, player.createdAt, { playerId: player.id });
    await enqueueEvents(tx, [event], traceparent);
    await queueVerification(tx, { ...player, passwordHash });
    return player;
  });
}
