import { MongoServerError } from "mongodb";
import type { NotificationEvent } from "../../lib/events.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";
import type { Notification } from "./notification.ts";

/**
 * Documents per insert. FerretDB 1.24 inserts in groups of 100 and goes on with the next group when one has failed, even
 * if the insert is ordered; in one group it keeps the order.
 */
const INSERT_DOCUMENTS_MAX = 100;
const DUPLICATE_KEY = 11_000;

/**
 * Stores events as their players' notifications, in the given order: none is visible before those that precede it, so
 * that a reader who has seen one has seen all before it. An event that is stored already changes nothing.
 *
 * Inserts instead of upserts: FerretDB 1.24 holds a database connection for every matched update of a command until the
 * command ends, so that a redelivered batch of upserts exhausts its pool and hangs for ever.
 *
 * @param events with the offset of each one's message
 * @returns the players whom they are for, each once
 * @throws what the driver throws; an error leaves a prefix of `events` stored
 */
export async function storeNotifications(
  ctx: NotificationsContext,
  events: readonly { event: NotificationEvent; offset: string }[],
): Promise<string[]> {
  const documents = events.map(toDocument);
  for (let from = 0; from < documents.length; from += INSERT_DOCUMENTS_MAX) {
    const chunk = documents.slice(from, from + INSERT_DOCUMENTS_MAX);
    // All are new, unless this is a redelivery: then find out one by one which are.
    if (await insertNew(ctx, chunk)) continue;
    for (const document of chunk) await insertNew(ctx, [document]);
  }
  return [...new Set(documents.map(({ playerId }) => playerId))];
}

function toDocument({ event, offset }: { event: NotificationEvent; offset: string }): Notification {
  return {
    // HTTP and WebSocket compare ids in lower case.
    _id: event.id.toLowerCase(),
    playerId: event.subject.toLowerCase(),
    seq: Number(offset),
    type: event.type,
    content: event.data,
    createdAt: new Date(event.time),
    readAt: null,
  };
}

/** @returns false if one of them was stored already; those before it may have been inserted */
async function insertNew(ctx: NotificationsContext, documents: Notification[]): Promise<boolean> {
  try {
    await ctx.guard(() => notificationsOf(ctx).insertMany(documents, { ordered: true }));
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return false;
    throw error;
  }
}
