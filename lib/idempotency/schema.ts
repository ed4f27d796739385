import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * What requests with an `Idempotency-Key` were answered, so that the same again gets the same answer. A row is written in the
 * transaction of the effect, and deleted a day later.
 */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    actorId: uuid("actor_id").notNull(),
    key: text("key").notNull(),
    /** HMAC of what was asked: a key that comes with something else is a mistake of its client. */
    requestHash: text("request_hash").notNull(),
    /** JSON, as it was sent; its status is the route's one for success */
    body: text("body").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`now()`),
  },
  (table) => [
    primaryKey({ columns: [table.actorId, table.key] }),
    index("idempotency_keys_created_at").on(table.createdAt),
  ],
);
