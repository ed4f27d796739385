import { sql } from "drizzle-orm";
import { index, jsonb, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

type Values = Record<string, unknown>;

/**
 * What staff did and what of players they looked at; the same table in both databases. A row is never changed or deleted; a trigger
 * sees to it. So it holds ids, names of fields, and only those values that are neither personal nor free text.
 */
export const auditEntries = pgTable(
  "audit_entries",
  {
    id: uuid("id").primaryKey().default(sql`uuidv7()`),
    at: timestamp("at", { withTimezone: true, precision: 3 })
      .notNull()
      .generatedAlwaysAs(sql`uuid_extract_timestamp(id)`),
    /** null for a job, which acts for the operator */
    actorId: uuid("actor_id"),
    /** the operation's id in the OpenAPI document, or the job's verb */
    action: text("action").notNull(),
    objectType: text("object_type").notNull(),
    /** null where it is about no single one, such as a search */
    objectId: uuid("object_id"),
    /** names of all fields in `before` and `after`, those in the details included */
    changed: text("changed").array().notNull(),
    before: jsonb("before").$type<Values>(),
    after: jsonb("after").$type<Values>(),
    requestId: text("request_id"),
  },
  (table) => [
    index("audit_entries_actor").on(table.actorId, table.id),
    index("audit_entries_object").on(table.objectId, table.id),
    index("audit_entries_action").on(table.action, table.id),
  ],
);

/** Of an entry, what is personal or free text. A row may be deleted, when a person is forgotten, and is never changed. */
export const auditDetails = pgTable("audit_details", {
  entryId: uuid("entry_id")
    .primaryKey()
    .references(() => auditEntries.id),
  reason: text("reason"),
  before: jsonb("before").$type<Values>(),
  after: jsonb("after").$type<Values>(),
});
