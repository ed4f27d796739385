import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { CODE_PATTERN, canonicalCode, generateCode } from "./code.ts";
import { createPromotion } from "./create-promotion.ts";
import { type UpdatePromotionInput, updatePromotion } from "./update-promotion.ts";

test.each([
  ["welcome-20", "WELCOME-20"],
  [" Wel come \u00a0-20\n", "WELCOME-20"],
  ["WELCOME-20", "WELCOME-20"],
])("%j is %s, whatever its case and spaces", (entered, code) => {
  expect(canonicalCode(entered)).toBe(code);
  expect(code).toMatch(CODE_PATTERN);
});

test.each([
  ["ſummer", "a long s, an S in capitals"],
  ["wınter", "a dotless i, an I in capitals"],
  ["straße", "a sharp s, SS in capitals"],
  ["WELCОME", "a Cyrillic O"],
  ["ＷＥＬＣＯＭＥ", "full width"],
  ["SUM\u200bMER", "a zero-width space"],
])("%j is never the code that it looks like: %s", (entered) => {
  expect(canonicalCode(entered)).not.toMatch(CODE_PATTERN);
});

test("a generated code has ten characters, none of which is taken for another, and is no other's", () => {
  const codes = Array.from({ length: 2_000 }, generateCode);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{10}$/);
  expect(new Set(codes.join("")).size).toBe(32);
});

describe("of promotions that have not ended one has a code", () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let ctx: PromotionsContext;
  beforeAll(async () => {
    database = await createTestDatabase("promotions");
    ctx = { db: database.db, currency: "EUR", log: silentLog };
  });
  afterAll(() => database.drop());

  const draft = (code: string | null) => createPromotion(ctx, newPromotion({ status: "draft", code }));
  const update = (id: string, changes: UpdatePromotionInput["changes"]) =>
    updatePromotion(ctx, { id, changedBy: newId(), changes });
  const taken = { kind: "already_exists", code: "code_taken" };
  /** @returns how many succeeded; the rest were refused since the code is taken */
  async function winnersOf(attempts: Promise<unknown>[]): Promise<number> {
    const results = await Promise.allSettled(attempts);
    const refused = results.filter(({ status }) => status === "rejected");
    for (const result of refused) expect(result).toMatchObject({ reason: taken });
    return results.length - refused.length;
  }

  test("ten created with the same code at once: one is", async () => {
    const code = generateCode();
    expect(await winnersOf(Array.from({ length: 10 }, () => draft(code)))).toBe(1);
  });

  test("two drafts given the same code and activated at once: one is", async () => {
    for (let round = 0; round < 5; round++) {
      const code = generateCode();
      const [first, second] = await Promise.all([draft(null), draft(null)]);
      const attempts = [first, second].map(({ id }) => update(id, { code, status: "active" }));
      expect(await winnersOf(attempts)).toBe(1);
    }
  });

  test("an ended one gives its code back; a draft and a paused one hold theirs", async () => {
    const code = generateCode();
    const { id } = await draft(code);
    await expect(draft(code)).rejects.toMatchObject(taken);
    await update(id, { status: "active" });
    await update(id, { status: "paused" });
    await expect(draft(code)).rejects.toMatchObject(taken);
    await update(id, { status: "ended" });
    expect((await draft(code)).code).toBe(code);
  });

  test("what has none is in nobody's way, and one that is generated is its own", async () => {
    expect([(await draft(null)).code, (await draft(null)).code]).toEqual([null, null]);
    const made = await createPromotion(ctx, newPromotion({ generateCode: true }));
    expect(made.code).toMatch(/^[A-Z2-9]{10}$/);
  });
});
