import { sql } from "drizzle-orm";
import { bigint, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";

/**
 * Events that are committed but not yet acknowledged by Kafka; the same table in both databases. A row lives for
 * milliseconds. The migration adds a trigger that notifies channel `outbox`.
 */
export const outbox = pgTable("outbox", {
  id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
  topic: text("topic").notNull(),
  key: text("key").notNull(),
  event: jsonb("event").notNull(),
  headers: jsonb("headers").$type<Record<string, string>>().notNull(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`now()`),
});
