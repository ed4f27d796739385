import { eq, inArray, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignments, promotionSlots } from "../../../drizzle/promotions/schema.ts";
import { transactions, users } from "../../../drizzle/users/schema.ts";
import type { AppError } from "../../../lib/errors.ts";
import { newId } from "../../../lib/ids.ts";
import { isPostgresUnavailable } from "../../../lib/postgres.ts";
import { type ClaimSystem, createClaimSystem, offerPromotion } from "../../../tests/support/claims.ts";
import { newPromotion } from "../../../tests/support/promotions.ts";
import { claimPromotion } from "../claims/claim-promotion.ts";
import { findPlayerPromotions } from "../players/find-player-promotions.ts";
import { createPromotion } from "./create-promotion.ts";
import { updatePromotion } from "./update-promotion.ts";

let system: ClaimSystem;
let ctx: ClaimSystem["ctx"];
beforeAll(async () => {
  system = await createClaimSystem();
  ctx = system.ctx;
});
afterAll(() => system.drop());

/** A promotion, and players who all have it. */
async function offer(players: number, overrides: Parameters<typeof newPromotion>[0]) {
  const { promotion, playerIds } = await offerPromotion(system, players, { amountMinor: 100, ...overrides });
  const { id } = promotion;
  return {
    id,
    playerIds,
    async claim(playerId: string): Promise<string> {
      for (;;) {
        try {
          await claimPromotion(ctx, { playerId, promotionId: id });
          return "paid";
        } catch (error) {
          // So many at once may wait too long for a connection on a busy machine; players try again then.
          if (!isPostgresUnavailable(error)) return (error as AppError).code;
        }
      }
    },
    change: (changes: Parameters<typeof updatePromotion>[1]["changes"]) =>
      updatePromotion(ctx, { id, changedBy: newId(), changes }),
    /** How many credits there are, and what the cap says of it. */
    async count() {
      const [paid, slots] = await Promise.all([
        system.users.db.$count(transactions, eq(transactions.reference, `promotion:${id}`)),
        system.promotions.db.select().from(promotionSlots).where(eq(promotionSlots.promotionId, id)),
      ]);
      const claimed = await system.promotions.db.$count(
        assignments,
        sql`${assignments.promotionId} = ${id} and ${assignments.status} = 'claimed'`,
      );
      const sum = (name: "used" | "capacity") => slots.reduce((total, slot) => total + slot[name], 0);
      return { paid, claimed, used: sum("used"), capacity: sum("capacity") };
    },
  };
}

const tally = (outcomes: string[]) =>
  Object.fromEntries([...Map.groupBy(outcomes, (outcome) => outcome)].map(([name, { length }]) => [name, length]));

test.each([
  ["maxClaims", { maxClaims: 25 }],
  ["budgetMinor, whose rest pays no claim", { budgetMinor: 2_599 }],
  ["both, of which the lower counts", { maxClaims: 40, budgetMinor: 2_500 }],
])("all claim at once on a cap by %s: exactly as many are paid", async (_, caps) => {
  const { playerIds, claim, count } = await offer(60, caps);
  // Each twice: an attempt that joins another one takes nothing of the cap.
  const outcomes = await Promise.all([...playerIds, ...playerIds].map((id) => claim(id)));
  expect(new Set(outcomes)).toEqual(new Set(["paid", "promotion_exhausted"]));
  expect(await count()).toEqual({ paid: 25, claimed: 25, used: 25, capacity: 25 });
  expect(tally(await Promise.all(playerIds.map((id) => claim(id))))).toEqual({ paid: 25, promotion_exhausted: 35 });
});

test("what refused claims had reserved comes back: as many are paid as the cap allows", async () => {
  const { playerIds, claim, count } = await offer(50, { maxClaims: 20 });
  const suspended = playerIds.slice(0, 25);
  const others = playerIds.slice(25);
  await system.users.db.update(users).set({ status: "suspended" }).where(inArray(users.id, suspended));
  const refused = await Promise.all(suspended.map((id) => claim(id)));
  expect(new Set(refused)).toContain("player_not_active");
  expect(await count()).toEqual({ paid: 0, claimed: 0, used: 0, capacity: 20 });
  expect(tally(await Promise.all(others.map((id) => claim(id))))).toEqual({ paid: 20, promotion_exhausted: 5 });
  expect(await count()).toEqual({ paid: 20, claimed: 20, used: 20, capacity: 20 });
});

/** Claims that begin as others are paid, so that they are spread over what happens meanwhile. */
const claimInTurn = ({ playerIds, claim, count }: Awaited<ReturnType<typeof offer>>, paidMax: number) =>
  Promise.all(
    playerIds.map(async (id, n) => {
      while ((await count()).claimed < Math.min(n - 20, paidMax)) await Promise.resolve();
      return claim(id);
    }),
  );

test("a cap that is raised and lowered while all claim is never exceeded, and used up in the end", async () => {
  const offered = await offer(120, { maxClaims: 40 });
  const claims = claimInTurn(offered, 30);
  const lowered = new Set<string>();
  for (const maxClaims of [60, 50, 70, 35, 80]) {
    await offered.change({ maxClaims }).catch(({ code }: { code: string }) => lowered.add(code));
  }
  await claims;
  expect([...lowered].filter((code) => code !== "cap_below_used")).toEqual([]);
  await Promise.all(offered.playerIds.map(offered.claim));
  expect(await offered.count()).toEqual({ paid: 80, claimed: 80, used: 80, capacity: 80 });
});

test("a cap that is taken away and given again while all claim counts every claim once", async () => {
  const offered = await offer(80, { maxClaims: 30 });
  const claims = claimInTurn(offered, 25);
  for (const maxClaims of [null, 100, null, 90, null, 80]) await offered.change({ maxClaims });
  await claims;
  await Promise.all(offered.playerIds.map(offered.claim));
  expect(await offered.count()).toEqual({ paid: 80, claimed: 80, used: 80, capacity: 80 });
});

test("a cap that is given to a promotion amid its claims counts those that were paid before", async () => {
  const { playerIds, claim, change, count } = await offer(60, {});
  await Promise.all(playerIds.slice(0, 10).map((id) => claim(id)));
  const [outcomes] = await Promise.all([
    Promise.all(playerIds.slice(10).map((id) => claim(id))),
    change({ maxClaims: 60 }),
  ]);
  expect(tally(outcomes)).toEqual({ paid: 50 });
  expect(await count()).toEqual({ paid: 60, claimed: 60, used: 60, capacity: 60 });
  await expect(change({ maxClaims: 59 })).rejects.toMatchObject({ code: "cap_below_used" });
  expect(await count()).toMatchObject({ used: 60, capacity: 60 });
});

test("a budget that doesn't pay one claim is refused, and so is an amount that grows beyond it", async () => {
  await expect(createPromotion(ctx, newPromotion({ amountMinor: 100, budgetMinor: 99 }))).rejects.toMatchObject({
    code: "budget_too_small",
  });
  const { id } = await createPromotion(ctx, newPromotion({ amountMinor: 100, budgetMinor: 100, status: "draft" }));
  const change = (changes: object) => updatePromotion(ctx, { id, changedBy: newId(), changes });
  await expect(change({ amountMinor: 101 })).rejects.toMatchObject({ code: "budget_too_small" });
  expect(await change({ amountMinor: 50 })).toMatchObject({ budgetMinor: 100, amountMinor: 50 });
});

test("a player sees when nothing is left", async () => {
  const { playerIds, claim, change } = await offer(2, { maxClaims: 1 });
  const [first, second] = playerIds as [string, string];
  const isExhausted = async () => {
    const { data } = await findPlayerPromotions(ctx, { playerId: second, limit: 10 });
    return data.map(({ exhausted }) => exhausted);
  };
  expect(await isExhausted()).toEqual([false]);
  await claim(first);
  expect(await isExhausted()).toEqual([true]);
  await change({ maxClaims: 2 });
  expect(await isExhausted()).toEqual([false]);
});
