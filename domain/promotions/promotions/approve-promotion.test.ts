import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promotionSlots, promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import { auditDetails, auditEntries } from "../../../lib/audit/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion } from "../../../tests/support/promotions.ts";
import { assignPromotion } from "../assignments/assign-promotion.ts";
import type { PromotionsContext } from "../context.ts";
import { approvePromotion, rejectPromotion } from "./approve-promotion.ts";
import { createPromotion } from "./create-promotion.ts";
import { getPromotion } from "./find-promotions.ts";
import { updatePromotion } from "./update-promotion.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog, approvalThresholdMinor: 10_000 };
});
afterAll(() => database.drop());

const [author, colleague, admin, otherAdmin] = [newId(), newId(), newId(), newId()];
const create = (overrides: Parameters<typeof newPromotion>[0] = {}) =>
  createPromotion(ctx, newPromotion({ amountMinor: 100, createdBy: author, ...overrides }));
const change = (id: string, changes: Parameters<typeof updatePromotion>[1]["changes"], changedBy = author) =>
  updatePromotion(ctx, { id, changedBy, changes });
const approve = async (id: string, by = admin, version?: number) =>
  approvePromotion(ctx, { id, actorId: by, version: version ?? (await getPromotion(ctx, id)).version });
const capacityOf = async (id: string) => {
  const slots = await database.db.select().from(promotionSlots).where(eq(promotionSlots.promotionId, id));
  return slots.reduce((sum, { capacity }) => sum + capacity, 0);
};

test.each([
  ["no cap at all", {}, "pending_approval"],
  ["a budget above the threshold", { budgetMinor: 10_001 }, "pending_approval"],
  ["claims that cost more together", { maxClaims: 101 }, "pending_approval"],
  ["a budget at the threshold", { budgetMinor: 10_000 }, "active"],
  ["claims that cost as much together", { maxClaims: 100 }, "active"],
  ["a budget below it, however many claims", { maxClaims: 1_000, budgetMinor: 9_999 }, "active"],
])("one with %s becomes %s when it is created active, and when a draft becomes active", async (_, caps, status) => {
  expect(await create(caps)).toMatchObject({ status, submittedBy: status === "active" ? null : author });
  const { id } = await create({ ...caps, status: "draft" });
  expect(await change(id, { status: "active" }, colleague)).toMatchObject({
    status,
    submittedBy: status === "active" ? null : colleague,
  });
});

test("without a threshold nothing waits", async () => {
  const { approvalThresholdMinor: _, ...free } = ctx;
  expect(await createPromotion(free, newPromotion())).toMatchObject({ status: "active" });
});

test("what waits can't be assigned, and is active once an admin who had no part in it approves it", async () => {
  const { id, version } = await create();
  const assigned = () => assignPromotion(ctx, { promotionId: id, playerIds: [newId()], assignedBy: author });
  await expect(assigned()).rejects.toMatchObject({ code: "promotion_not_active" });
  await expect(approve(id, author)).rejects.toMatchObject({ code: "own_approval", kind: "permission_denied" });
  const approved = await approve(id);
  expect(approved).toMatchObject({ status: "active", version, approvedBy: admin, submittedBy: author });
  expect(await approve(id, admin, version)).toEqual(approved);
  await expect(approve(id, otherAdmin)).rejects.toMatchObject({ code: "promotion_status_forbidden" });
  expect(await assigned()).toMatchObject({ assigned: 0 });
  const history = await database.db
    .select({ status: promotionStatusChanges.status, changedBy: promotionStatusChanges.changedBy })
    .from(promotionStatusChanges)
    .where(eq(promotionStatusChanges.promotionId, id))
    .orderBy(promotionStatusChanges.id);
  expect(history).toEqual([
    { status: "pending_approval", changedBy: author },
    { status: "active", changedBy: admin },
  ]);
});

test("any edit takes it back: what was read before is not what would be approved", async () => {
  const { id, version } = await create();
  expect(await change(id, { title: "Another title" }, colleague)).toMatchObject({
    status: "draft",
    version: version + 1,
  });
  await expect(approve(id, admin, version)).rejects.toMatchObject({ code: "version_outdated" });
  await expect(approve(id)).rejects.toMatchObject({ code: "promotion_status_forbidden" });
  const again = await change(id, { status: "active" });
  await expect(approve(id, admin, version + 1)).rejects.toMatchObject({ code: "version_outdated" });
  await expect(approve(id, colleague, again.version)).rejects.toMatchObject({ code: "own_approval" });
  expect(await approve(id)).toMatchObject({ status: "active" });
});

test("an edit against an approval at once: the approval is of what was read, or refused", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const { id, version } = await create();
    const calls = [() => approve(id, admin, version), () => change(id, { title: "Another title" })];
    if (round % 2 === 1) calls.reverse();
    const outcomes = await Promise.allSettled(calls.map((call) => call()));
    if (round % 2 === 1) outcomes.reverse();
    const [approved] = outcomes;
    const now = await getPromotion(ctx, id);
    if (approved?.status === "rejected") {
      expect(approved.reason).toMatchObject({ code: "version_outdated" });
      expect(now).toMatchObject({ status: "draft", approvedBy: null });
    } else expect(now).toMatchObject({ status: "active", approvedVersion: version });
    seen.add(approved?.status ?? "");
  }
  expect(seen.size).toBe(2);
});

test("nothing changes when the same is sent again, or an unknown promotion is approved", async () => {
  const waiting = await create();
  expect(await change(waiting.id, { status: "active", title: waiting.title })).toEqual(waiting);
  await expect(approve(newId(), admin, 1)).rejects.toMatchObject({ code: "promotion_not_found" });
});

test("a rejection makes it a draft, and the reason is kept", async () => {
  const { id } = await create();
  const rejected = await rejectPromotion(ctx, { id, actorId: admin, reason: "Too much." });
  expect(rejected).toMatchObject({ status: "draft", approvedBy: null });
  const reject = () => rejectPromotion(ctx, { id, actorId: admin, reason: "Again." });
  await expect(reject()).rejects.toMatchObject({ code: "promotion_status_forbidden" });
  const entries = await database.db
    .select({ action: auditEntries.action, reason: auditDetails.reason })
    .from(auditEntries)
    .leftJoin(auditDetails, eq(auditDetails.entryId, auditEntries.id))
    .where(eq(auditEntries.objectId, id))
    .orderBy(auditEntries.id);
  expect(entries).toEqual([
    { action: "createPromotion", reason: null },
    { action: "rejectPromotion", reason: "Too much." },
  ]);
});

test("a raise beyond the threshold waits while the old cap goes on, and holds once it is approved", async () => {
  const { id } = await create({ maxClaims: 50 });
  expect(await change(id, { maxClaims: 100 })).toMatchObject({ maxClaims: 100, pendingChange: null });
  const raised = await change(id, { maxClaims: 500, title: "With more for all" });
  expect(raised).toMatchObject({
    status: "active",
    title: "With more for all",
    maxClaims: 100,
    pendingChange: { maxClaims: 500, budgetMinor: null },
    submittedBy: author,
  });
  expect(await capacityOf(id)).toBe(100);
  expect(await change(id, { maxClaims: 500 })).toEqual(raised);
  await expect(approve(id, author)).rejects.toMatchObject({ code: "own_approval" });
  expect(await approve(id)).toMatchObject({ maxClaims: 500, pendingChange: null, approvedBy: admin });
  expect(await capacityOf(id)).toBe(500);
});

test("a cap that is taken away waits, is rejected, or is replaced by one that needs nobody", async () => {
  const { id } = await create({ maxClaims: 50 });
  const pendingChange = { maxClaims: null, budgetMinor: null };
  expect(await change(id, { maxClaims: null })).toMatchObject({ maxClaims: 50, pendingChange });
  expect(await rejectPromotion(ctx, { id, actorId: admin, reason: "No." })).toMatchObject({
    status: "active",
    maxClaims: 50,
    pendingChange: null,
  });
  await change(id, { maxClaims: null });
  expect(await change(id, { maxClaims: 40 })).toMatchObject({ maxClaims: 40, pendingChange: null });
  await expect(approve(id)).rejects.toMatchObject({ code: "promotion_status_forbidden" });
  await change(id, { maxClaims: null });
  expect(await change(id, { status: "ended" })).toMatchObject({ status: "ended", pendingChange: null });
});

test("who changed something before the last approval may approve the next change", async () => {
  const { id } = await create({ createdBy: otherAdmin });
  await expect(approve(id, otherAdmin)).rejects.toMatchObject({ code: "own_approval" });
  await approve(id);
  await change(id, { maxClaims: 1_000 });
  expect(await change(id, { maxClaims: 2_000 }, colleague)).toMatchObject({ pendingChange: { maxClaims: 2_000 } });
  expect(await approve(id, otherAdmin)).toMatchObject({ maxClaims: 2_000, approvedBy: otherAdmin });
});

test("a window that is over, or another welcome bonus, stops an approval as it stops any step", async () => {
  const endsAt = new Date(Date.now() + 400);
  const { id } = await create({ endsAt });
  await expect
    .poll(() => approve(id, author).catch(({ code }: { code: string }) => code), { timeout: 5_000 })
    .toBe("own_approval");
  await expect.poll(() => Date.now() > endsAt.getTime(), { timeout: 5_000 }).toBe(true);
  await expect(approve(id)).rejects.toMatchObject({ code: "promotion_status_forbidden" });
});

test("a raise waits by what it pays in fact, whatever the greatest cost was before", async () => {
  const { id } = await create({ maxClaims: 10, budgetMinor: 1_000_000 });
  await approve(id);
  // Both caps cost as much at most; ten claims of 1.00 EUR were what was paid.
  expect(await change(id, { maxClaims: 5_000 })).toMatchObject({
    maxClaims: 10,
    budgetMinor: 1_000_000,
    pendingChange: { maxClaims: 5_000, budgetMinor: 1_000_000 },
  });
  expect(await capacityOf(id)).toBe(10);
  expect(await change(id, { budgetMinor: null })).toMatchObject({
    budgetMinor: 1_000_000,
    pendingChange: { maxClaims: 5_000, budgetMinor: null },
  });
});

test("what waits is changed by what is sent, and dropped by who sends what holds", async () => {
  const { id } = await create({ maxClaims: 50, budgetMinor: 6_000 });
  await change(id, { maxClaims: 500, budgetMinor: 50_000 });
  expect(await change(id, { maxClaims: 600 }, colleague)).toMatchObject({
    pendingChange: { maxClaims: 600, budgetMinor: 50_000 },
    submittedBy: colleague,
  });
  expect(await change(id, { title: "Another title" })).toMatchObject({ pendingChange: { maxClaims: 600 } });
  expect(await change(id, { maxClaims: 50, budgetMinor: 6_000 })).toMatchObject({
    maxClaims: 50,
    budgetMinor: 6_000,
    pendingChange: null,
  });
});

test("who edits and submits in one request is the one who submitted", async () => {
  const { id } = await create();
  expect(await change(id, { title: "Another title", status: "active" }, colleague)).toMatchObject({
    status: "pending_approval",
    submittedBy: colleague,
  });
});

test("who created it can't approve it the first time, though an older version kept no word of who changed it", async () => {
  const { id } = await create({ status: "draft", createdBy: admin });
  await database.db.update(promotions).set({ editedBy: [] }).where(eq(promotions.id, id));
  await change(id, { status: "active" });
  await expect(approve(id, admin)).rejects.toMatchObject({ code: "own_approval" });
  expect(await approve(id, otherAdmin)).toMatchObject({ status: "active" });
});
