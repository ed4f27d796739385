import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

/** No event has waited in a database's outbox longer than the bound. */
export async function checkOutbox(database: Snapshot, bounds: { lagBoundMs: number }, tally: Tally): Promise<void> {
  const [counts] = await database<{ rows: number }[]>`select count(*)::float8 as rows from outbox`;
  tally.checked = counts?.rows ?? 0;
  const rows = database<{ id: string; topic: string; key: string; created_at: string }[]>`
    select id, topic, key, created_at from outbox
    where created_at < now() - ${bounds.lagBoundMs}::float8 * interval '1 millisecond' order by id`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const { id, topic, key, created_at } of batch) {
      tally.add(() => `row ${id} for topic ${topic}, player ${key}: waits since ${created_at}`);
    }
  }
}
