import { sql } from "drizzle-orm";
import { type Event, topicOf } from "../events.ts";
import type { Queryable } from "../postgres.ts";
import { outbox } from "./schema.ts";

/**
 * Writes events into the outbox. Call it in the transaction of the change that they announce: both commit, or none.
 *
 * @param tx the transaction
 * @param events key and topic follow from each event
 * @param traceparent the trace to go on in consumers
 */
export async function enqueueEvents(tx: Queryable, events: Event[], traceparent?: string): Promise<void> {
  if (events.length === 0) return;
  const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
  const rows = events.map((event) => ({ topic: topicOf(event.type), key: event.subject, event, headers }));
  // One value, however many rows: one text of a statement. Ids are given in the order of the rows.
  await tx.execute(sql`
    insert into ${outbox} (topic, key, event, headers)
    select topic, key, event, headers
    from rows from (
      json_to_recordset(${JSON.stringify(rows)}::json) as (topic text, key text, event jsonb, headers jsonb)
    ) with ordinality as row (topic, key, event, headers, position)
    order by position`);
}
