import { sql } from "drizzle-orm";
import type { Queryable } from "../postgres.ts";
import { outbox } from "./schema.ts";

/** What waits to be published, as metrics: name and help. */
export const BACKLOG_GAUGES = {
  outbox_rows: "Events in the outbox.",
  outbox_oldest_seconds: "Age of the oldest event in the outbox; 0 when it is empty.",
} as const;

/** @returns how many events wait in the outbox, and for how many seconds the oldest has */
export async function readBacklog(db: Queryable): Promise<Record<keyof typeof BACKLOG_GAUGES, number>> {
  const [backlog] = await db
    .select({
      outbox_rows: sql<number>`count(*)::int`,
      outbox_oldest_seconds: sql<number>`coalesce(extract(epoch from now() - min(${outbox.createdAt})), 0)::float8`,
    })
    .from(outbox);
  return backlog ?? { outbox_rows: 0, outbox_oldest_seconds: 0 };
}

/** @returns for how many milliseconds the oldest event has waited in the outbox; 0 when it is empty. Cheap, however many there are */
export async function readOldestAgeMs(db: Queryable): Promise<number> {
  const [oldest] = await db
    .select({ ageMs: sql<number>`extract(epoch from clock_timestamp() - ${outbox.createdAt})::float8 * 1000` })
    .from(outbox)
    .orderBy(outbox.id)
    .limit(1);
  return oldest?.ageMs ?? 0;
}
