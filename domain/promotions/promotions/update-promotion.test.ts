import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { generateCode } from "./code.ts";
import { createPromotion } from "./create-promotion.ts";
import type { Promotion, PromotionStatus } from "./promotion.ts";
import { type UpdatePromotionInput, updatePromotion } from "./update-promotion.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog };
});
afterAll(() => database.drop());

const update = (id: string, changes: UpdatePromotionInput["changes"]) =>
  updatePromotion(ctx, { id, changedBy: newId(), changes });

async function promotionIn(status: PromotionStatus): Promise<Promotion> {
  const created = await createPromotion(ctx, newPromotion({ status: status === "draft" ? "draft" : "active" }));
  return status === "draft" || status === "active" ? created : update(created.id, { status });
}

const STATUSES: PromotionStatus[] = ["draft", "active", "paused", "ended"];
const ALLOWED = ["draft>active", "draft>ended", "active>paused", "active>ended", "paused>active", "paused>ended"];
const steps = STATUSES.flatMap((from) => STATUSES.filter((to) => to !== from).map((to) => [from, to] as const));

test.each(steps)("the step %s → %s is allowed or refused as documented", async (from, to) => {
  const { id } = await promotionIn(from);
  const step = update(id, { status: to });
  if (ALLOWED.includes(`${from}>${to}`)) expect((await step).status).toBe(to);
  else await expect(step).rejects.toMatchObject({ code: "promotion_status_forbidden", kind: "failed_precondition" });
});

test("two opposite steps at once: one after the other, each recorded, or refused", async () => {
  const { id } = await promotionIn("active");
  const results = await Promise.allSettled([
    update(id, { status: "paused" }),
    update(id, { status: "ended" }),
    update(id, { status: "paused" }),
  ]);
  const history = await database.db
    .select()
    .from(promotionStatusChanges)
    .where(eq(promotionStatusChanges.promotionId, id))
    .orderBy(promotionStatusChanges.changedAt, promotionStatusChanges.id);
  expect(history.at(-1)?.status).toBe("ended");
  expect(["active,ended", "active,paused,ended"]).toContain(history.map(({ status }) => status).join());
  expect(results.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
});

test("terms can be changed, and taken back, in a draft only", async () => {
  const draft = await promotionIn("draft");
  expect(draft.terms).toBeNull();
  expect((await update(draft.id, { terms: "Once per person." })).terms).toBe("Once per person.");
  expect((await update(draft.id, { terms: null })).terms).toBeNull();
  const { updatedAt } = await update(draft.id, { terms: "From 18 years on.", status: "active" });
  expect((await update(draft.id, { terms: "From 18 years on." })).updatedAt).toEqual(updatedAt);
  for (const terms of ["Other terms.", null]) {
    await expect(update(draft.id, { terms })).rejects.toMatchObject({ code: "promotion_locked" });
  }
});

test("a code can be changed, and taken back, in a draft only", async () => {
  const [first, second] = [generateCode(), generateCode()];
  const draft = await promotionIn("draft");
  expect((await update(draft.id, { code: first })).code).toBe(first);
  expect((await update(draft.id, { code: null })).code).toBeNull();
  await update(draft.id, { code: second, status: "active" });
  expect((await update(draft.id, { code: second, title: "Renamed" })).code).toBe(second);
  for (const code of [first, null]) {
    await expect(update(draft.id, { code })).rejects.toMatchObject({ code: "promotion_locked" });
  }
});

test("amount and start are fixed once a promotion was active; title and a later end are not", async () => {
  const draft = await promotionIn("draft");
  expect((await update(draft.id, { amountMinor: 1 })).amountMinor).toBe(1);
  const active = await promotionIn("active");
  await expect(update(active.id, { amountMinor: 1 })).rejects.toMatchObject({ code: "promotion_locked" });
  await expect(update(active.id, { startsAt: new Date() })).rejects.toMatchObject({ code: "promotion_locked" });
  await expect(update(active.id, { endsAt: new Date(Date.now() - 1000) })).rejects.toMatchObject({
    code: "promotion_locked",
  });
  const endsAt = new Date(active.endsAt.getTime() + 1000);
  expect(await update(active.id, { title: "Renamed", endsAt, amountMinor: active.amountMinor })).toMatchObject({
    title: "Renamed",
    endsAt,
  });
});

test("the same values again change nothing, not even the time of the last change", async () => {
  const active = await promotionIn("active");
  expect(await update(active.id, { title: active.title, endsAt: active.endsAt, status: "active" })).toEqual(active);
});

test("an ended promotion can't be changed, and one that does not exist is not found", async () => {
  const ended = await promotionIn("ended");
  await expect(update(ended.id, { title: "Back again" })).rejects.toMatchObject({ code: "promotion_ended" });
  await expect(update(newId(), { title: "Nothing" })).rejects.toMatchObject({ code: "promotion_not_found" });
});

test("what is over can't be made active: not when it is created, nor later; a draft of it can", async () => {
  const over = { startsAt: new Date(Date.now() - 2_000), endsAt: new Date(Date.now() - 1_000) };
  await expect(createPromotion(ctx, newPromotion(over))).rejects.toMatchObject({
    code: "window_invalid",
    kind: "invalid_argument",
    errors: [{ path: "body.endsAt", code: "window_invalid", message: "must lie ahead" }],
  });
  const draft = await createPromotion(ctx, newPromotion({ ...over, status: "draft" }));
  const refusal = { code: "promotion_status_forbidden", kind: "failed_precondition" };
  await expect(update(draft.id, { status: "active" })).rejects.toMatchObject(refusal);
  const endsAt = new Date(Date.now() + 60_000);
  expect((await update(draft.id, { status: "active", endsAt })).status).toBe("active");

  const paused = await promotionIn("paused");
  await database.db.update(promotions).set({ endsAt: over.endsAt }).where(eq(promotions.id, paused.id));
  await expect(update(paused.id, { status: "active" })).rejects.toMatchObject(refusal);
  expect((await update(paused.id, { status: "ended" })).status).toBe("ended");
});

test("only an ended welcome bonus gives its window back; one that is moved onto another's is refused", async () => {
  const thisYear = new Date().getUTCFullYear();
  const window = (yearsAhead: number) => ({
    type: "WELCOME_BONUS" as const,
    startsAt: new Date(Date.UTC(thisYear + yearsAhead, 0, 1)),
    endsAt: new Date(Date.UTC(thisYear + yearsAhead + 1, 0, 1)),
  });
  const first = await createPromotion(ctx, newPromotion({ ...window(4), status: "draft" }));
  await expect(createPromotion(ctx, newPromotion(window(4)))).rejects.toMatchObject({
    code: "welcome_bonus_overlap",
  });
  const next = await createPromotion(ctx, newPromotion(window(5))); // an end is exclusive
  await expect(update(first.id, { endsAt: new Date(Date.UTC(thisYear + 5, 0, 2)) })).rejects.toMatchObject({
    code: "welcome_bonus_overlap",
  });
  await update(next.id, { status: "paused" });
  await expect(createPromotion(ctx, newPromotion(window(5)))).rejects.toMatchObject({
    code: "welcome_bonus_overlap",
  });
  await update(next.id, { status: "ended" });
  expect(await createPromotion(ctx, newPromotion(window(5)))).toMatchObject({ status: "active" });
});
