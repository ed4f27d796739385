import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase } from "../../tests/support/database.ts";
import { newId } from "../ids.ts";
import type { Database } from "../postgres.ts";
import { type FindAuditEntriesInput, findAuditEntries } from "./find-entries.ts";
import { type AuditRecord, recordAudit } from "./record.ts";
import { auditDetails, auditEntries } from "./schema.ts";

describe.each(["users", "promotions"] as const)("in the database of %s", (service) => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let db: Database;
  beforeAll(async () => {
    database = await createTestDatabase(service);
    db = database.db;
  });
  afterAll(() => database.drop());

  const record = (overrides: Partial<AuditRecord> = {}) =>
    recordAudit(db, { actorId: newId(), action: "doIt", object: { type: "thing", id: newId() }, ...overrides });
  const find = async (input: Partial<FindAuditEntriesInput>) =>
    (await findAuditEntries(db, { limit: 100, ...input })).data;

  test("an entry tells who did what to what, and only what it changed", async () => {
    const [actorId, id] = [newId(), newId()];
    const before = { status: "draft", title: "Old", terms: null, startsAt: new Date(0), limit: 1 };
    await record({
      actorId,
      requestId: "a-request",
      object: { type: "thing", id },
      before,
      after: { ...before, status: "active", title: "New", startsAt: new Date(1) },
      lasting: ["status", "startsAt", "limit"],
      reason: "because",
    });
    expect(await find({ actorId })).toEqual([
      {
        id: expect.any(String),
        at: expect.any(Date),
        actorId,
        action: "doIt",
        object: { type: "thing", id },
        changed: ["status", "title", "startsAt"],
        before: { status: "draft", title: "Old", startsAt: "1970-01-01T00:00:00.000Z" },
        after: { status: "active", title: "New", startsAt: "1970-01-01T00:00:00.001Z" },
        reason: "because",
        requestId: "a-request",
      },
    ]);
  });

  test("what may be forgotten is not in the entry itself, which still names it", async () => {
    const actorId = newId();
    await record({ actorId, after: { role: "staff", email: "ada@example.com" }, lasting: ["role"], reason: "hired" });
    const [entry] = await db.select().from(auditEntries).where(eq(auditEntries.actorId, actorId));
    expect(JSON.stringify(entry)).not.toMatch(/ada@|hired/);
    await db.delete(auditDetails).where(eq(auditDetails.entryId, entry?.id ?? ""));
    expect(await find({ actorId })).toMatchObject([
      { changed: ["role", "email"], before: null, after: { role: "staff" }, reason: null },
    ]);
  });

  test("what has no details takes no row for them", async () => {
    const actorId = newId();
    await record({ actorId });
    const [entry] = await find({ actorId });
    expect(entry).toMatchObject({ changed: [], before: null, after: null, reason: null });
    expect(
      await db
        .select()
        .from(auditDetails)
        .where(eq(auditDetails.entryId, entry?.id ?? "")),
    ).toEqual([]);
  });

  test.each(["password", "newPassword", "refreshToken", "secret", "requestHash"])("%s can't get in", async (name) => {
    const actorId = newId();
    await expect(record({ actorId, after: { [name]: "x" } })).rejects.toThrow(`${name} must not go into the audit`);
    expect(await find({ actorId })).toEqual([]);
  });

  test("an entry goes with its transaction", async () => {
    const actorId = newId();
    const undone = db.transaction(async (tx) => {
      await recordAudit(tx, { actorId, action: "doIt", object: { type: "thing" }, reason: "because" });
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(await find({ actorId })).toEqual([]);
  });

  test.each([
    sql`update audit_entries set action = 'another'`,
    sql`delete from audit_entries`,
    sql`truncate audit_entries, audit_details`,
    sql`update audit_details set reason = 'another'`,
    sql`truncate audit_details`,
  ])("nothing in it can be changed %#", async (statement) => {
    await record({ reason: "because" });
    await expect(db.execute(statement)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("append-only") },
    });
  });

  test("pages by actor, object, action and time hold each entry once, newest first", async () => {
    const [actorId, id] = [newId(), newId()];
    for (let n = 0; n < 5; n += 1) {
      await record({
        actorId,
        action: n % 2 === 0 ? "even" : "odd",
        object: { type: "thing", id: n < 2 ? id : newId() },
      });
    }
    const all = await find({ actorId });
    expect(all.map(({ action }) => action)).toEqual(["even", "odd", "even", "odd", "even"]);
    const paged: typeof all = [];
    let cursor: string | undefined;
    do {
      const page = await findAuditEntries(db, { actorId, limit: 2, cursor });
      paged.push(...page.data);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(paged).toEqual(all);
    expect(await find({ objectId: id })).toEqual(all.slice(3));
    expect(await find({ actorId, action: "odd" })).toEqual([all[1], all[3]]);
    const at = all[2]?.at as Date;
    expect(await find({ actorId, from: at })).toEqual(all.filter((entry) => entry.at >= at));
    expect(await find({ actorId, to: at })).toEqual(all.filter((entry) => entry.at < at));
    await expect(find({ cursor: "nonsense" })).rejects.toMatchObject({ code: "invalid_cursor" });
  });
});
