import { and, desc, eq, gte, lt, type SQL } from "drizzle-orm";
import { cursorsOf, toPage } from "../cursor.ts";
import type { Database } from "../postgres.ts";
import { auditDetails, auditEntries } from "./schema.ts";

const cursors = cursorsOf("audit");

export interface FindAuditEntriesInput {
  actorId?: string | undefined;
  objectId?: string | undefined;
  action?: string | undefined;
  /** the earliest time */
  from?: Date | undefined;
  /** the first time that is too late */
  to?: Date | undefined;
  /** at most this many, 1 to 100 */
  limit: number;
  cursor?: string | undefined;
}

export type FoundAuditEntry = Awaited<ReturnType<typeof findAuditEntries>>["data"][number];

/**
 * Entries of the audit that fit all filters, the newest first. What was forgotten with a person is missing from `before`, `after` and
 * `reason`; its fields are still named in `changed`.
 *
 * @throws AppError `invalid_cursor`
 */
export async function findAuditEntries(db: Database, input: FindAuditEntriesInput) {
  const { actorId, objectId, action, from, to, limit, cursor } = input;
  const conditions: SQL[] = [];
  if (actorId !== undefined) conditions.push(eq(auditEntries.actorId, actorId));
  if (objectId !== undefined) conditions.push(eq(auditEntries.objectId, objectId));
  if (action !== undefined) conditions.push(eq(auditEntries.action, action));
  if (from !== undefined) conditions.push(gte(auditEntries.id, firstIdAt(from)));
  if (to !== undefined) conditions.push(lt(auditEntries.id, firstIdAt(to)));
  if (cursor !== undefined) conditions.push(lt(auditEntries.id, cursors.decode(cursor)));
  const rows = await db
    .select({ entry: auditEntries, details: auditDetails })
    .from(auditEntries)
    .leftJoin(auditDetails, eq(auditDetails.entryId, auditEntries.id))
    .where(and(...conditions))
    .orderBy(desc(auditEntries.id))
    .limit(limit + 1);
  const { data, nextCursor } = toPage(rows, limit, ({ entry }) => cursors.encode(entry.id));
  const entries = data.map(({ entry: { objectType, objectId, ...entry }, details }) => ({
    ...entry,
    object: { type: objectType, id: objectId },
    before: entry.before && { ...entry.before, ...details?.before },
    after: entry.after && { ...entry.after, ...details?.after },
    reason: details?.reason ?? null,
  }));
  return { data: entries, nextCursor };
}

/** @returns what is not greater than any UUIDv7 of that millisecond, and greater than all of before */
function firstIdAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
