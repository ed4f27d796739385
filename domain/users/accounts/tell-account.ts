import type { Role } from "../../../lib/auth/principal.ts";
import { type AccountContent, newEvent } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { Queryable } from "../../../lib/postgres.ts";

/**
 * Tells the owner of an account what has happened to it, together with the change itself. Staff have no notifications.
 *
 * @param tx the transaction of the change
 * @param at when it happened
 * @param traceparent the trace to go on in the consumers of the event
 */
export async function tellAccount(
  tx: Queryable,
  user: { id: string; role: Role },
  at: Date,
  content: AccountContent,
  traceparent: string | undefined,
): Promise<void> {
  if (user.role !== "player") return;
  await enqueueEvents(tx, [newEvent("/users", "ACCOUNT", user.id, at, content)], traceparent);
}
