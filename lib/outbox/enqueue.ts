import { type Event, topicOf } from "../events.ts";
import type { Queryable } from "../postgres.ts";
import { outbox } from "./schema.ts";

/** Rows per INSERT; PostgreSQL takes at most 65,535 parameters a statement, and a row has four. */
const CHUNK_ROWS = 5_000;

/**
 * Writes events into the outbox. Call it in the transaction of the change that they announce: both commit, or none.
 *
 * @param tx the transaction
 * @param events key and topic follow from each event
 * @param traceparent the trace to go on in consumers
 */
export async function enqueueEvents(tx: Queryable, events: Event[], traceparent?: string): Promise<void> {
  const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
  for (let from = 0; from < events.length; from += CHUNK_ROWS) {
    await tx
      .insert(outbox)
      .values(
        events
          .slice(from, from + CHUNK_ROWS)
          .map((event) => ({ topic: topicOf(event.type), key: event.subject, event, headers })),
      );
  }
}
