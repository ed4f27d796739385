import { sql } from "drizzle-orm";
import type { Queryable } from "../postgres.ts";
import { auditDetails, auditEntries } from "./schema.ts";

/** Who does something, and in which request. */
export interface Acting {
  /** null for a job, which acts for the operator */
  actorId: string | null;
  requestId?: string | undefined;
}

/** Fields as they were or are; what JSON can hold, and times. */
type Values = Readonly<Record<string, unknown>>;

export interface AuditRecord extends Acting {
  /** the operation's id in the OpenAPI document, or the job's verb */
  action: string;
  /** without an id where it is about no single one, such as a search */
  object: { type: string; id?: string };
  /** Of both, only what differs is kept. */
  before?: Values;
  after?: Values;
  /** The fields whose values can stay for ever. All others are taken for personal or free text, which may be forgotten. */
  lasting?: readonly string[];
  /** as the actor gave it */
  reason?: string;
}

/** What no record may ever hold, as the names of fields tell it. */
const SECRET = /password|token|secret|hash/i;

/**
 * Writes an entry of the audit. For a write, call it in its transaction: both commit, or none. What is only read is not answered
 * unless its entry was written.
 *
 * @param tx the transaction; for a read, the database
 */
export async function recordAudit(tx: Queryable, record: AuditRecord): Promise<void> {
  const { actorId, requestId = null, action, object, before, after, lasting = [], reason = null } = record;
  const changed = changedFields(before, after);
  const secret = changed.find((name) => SECRET.test(name));
  if (secret !== undefined) throw new Error(`${action}: ${secret} must not go into the audit`);
  const inEntry = changed.filter((name) => lasting.includes(name));
  const inDetails = changed.filter((name) => !lasting.includes(name));
  const hasDetails = reason !== null || inDetails.length > 0;
  // One statement, so one round trip.
  await tx.execute(sql`
    with entry as (
      insert into ${auditEntries} (actor_id, action, object_type, object_id, changed, before, after, request_id)
      values (${actorId}::uuid, ${action}::text, ${object.type}::text, ${object.id ?? null}::uuid, ${sql.param(changed)}::text[],
        ${pick(before, inEntry)}::jsonb, ${pick(after, inEntry)}::jsonb, ${requestId}::text)
      returning id
    )
    insert into ${auditDetails} (entry_id, reason, before, after)
    select id, ${reason}::text, ${pick(before, inDetails)}::jsonb, ${pick(after, inDetails)}::jsonb
    from entry where ${hasDetails}::boolean`);
}

/** @returns the names of the fields that are not the same in both */
function changedFields(before: Values = {}, after: Values = {}): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** @returns JSON of these fields; null where there are no values at all */
function pick(values: Values | undefined, names: string[]): string | null {
  return values === undefined ? null : JSON.stringify(Object.fromEntries(names.map((name) => [name, values[name]])));
}
