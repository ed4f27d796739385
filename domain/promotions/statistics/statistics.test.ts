import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignmentChanges, assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { type ClaimSystem, createClaimSystem, offerPromotion } from "../../../tests/support/claims.ts";
import { newPromotion } from "../../../tests/support/promotions.ts";
import { revokeAssignment } from "../assignments/revoke-assignment.ts";
import { claimPromotion } from "../claims/claim-promotion.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { foldChanges } from "./fold-changes.ts";
import { readStatistics, readStatisticsOf } from "./read-statistics.ts";

let system: ClaimSystem;
let ctx: ClaimSystem["ctx"];
beforeAll(async () => {
  system = await createClaimSystem();
  ctx = system.ctx;
});
afterAll(() => system.drop());

/** A promotion of 1.00 EUR, and players who all have it. */
async function offer(players: number, overrides: Parameters<typeof newPromotion>[0] = {}) {
  const { promotion, playerIds } = await offerPromotion(system, players, { amountMinor: 100, ...overrides });
  const { id } = promotion;
  return { id, playerIds, claim: (playerId: string) => claimPromotion(ctx, { playerId, promotionId: id }) };
}

const read = (promotionId: string, input: Partial<Parameters<typeof readStatistics>[1]> = {}) =>
  readStatistics(ctx, { promotionId, timeZone: "UTC", ...input });
const foldAll = async () => {
  while ((await foldChanges(ctx, { changesMax: 3 })) > 0);
};
const setAssignment = (playerId: string, promotionId: string, change: Record<string, unknown>) =>
  system.promotions
    .client`update assignments set ${system.promotions.client(change)} where player_id = ${playerId} and promotion_id = ${promotionId}`;

test("the figures are exact at once, folded or not, and of a promotion without assignments there are zeros", async () => {
  const { id, playerIds, claim } = await offer(5);
  const [first, second] = playerIds as [string, string];
  await claim(first);
  await claim(second);
  const before = Date.now();
  const unfolded = await read(id);
  expect(unfolded).toMatchObject({
    assigned: 5,
    open: 3,
    claimed: 2,
    expired: 0,
    revoked: 0,
    claimRate: 0.4,
    paidMinor: 200,
    openMinor: 300,
    capUsed: null,
    reversedMinor: 0,
    currency: "EUR",
  });
  expect(Math.abs(unfolded.asOf.getTime() - before)).toBeLessThan(10_000);
  await foldAll();
  expect(await system.promotions.db.$count(assignmentChanges)).toBe(0);
  const { asOf: _, ...folded } = await read(id);
  expect(unfolded).toMatchObject(folded);
  const empty = await createPromotion(ctx, newPromotion());
  expect(await read(empty.id)).toMatchObject({ assigned: 0, claimRate: 0, paidMinor: 0, openMinor: 0, perDay: [] });
  const both = await readStatisticsOf(ctx, [empty.id, id, newId()]);
  expect([...both.keys()].sort()).toEqual([empty.id, id].sort());
  expect(both.get(id)).toMatchObject({ assigned: 5, paidMinor: 200 });
});

test("of a promotion that doesn't exist there are none", async () => {
  await expect(read(newId())).rejects.toMatchObject({ code: "promotion_not_found" });
});

test("what is open costs no more than the cap leaves, and what is used of it is a share", async () => {
  const { id, playerIds, claim } = await offer(6, { maxClaims: 4, budgetMinor: 350 });
  expect(await read(id)).toMatchObject({ open: 6, openMinor: 300, capUsed: 0 });
  await claim(playerIds[0] as string);
  expect(await read(id)).toMatchObject({ open: 5, openMinor: 200, paidMinor: 100, capUsed: 0.3333 });
  for (const playerId of playerIds.slice(1, 3)) await claim(playerId);
  expect(await read(id)).toMatchObject({ open: 3, openMinor: 0, paidMinor: 300, capUsed: 1 });
});

test("a claim that is under way is open, beyond the promotion's end too; what is only assigned is expired then", async () => {
  const { id, playerIds } = await offer(3);
  await setAssignment(playerIds[0] as string, id, {
    status: "claiming",
    claim_key: newId(),
    claiming_at: new Date().toISOString(),
  });
  expect(await read(id)).toMatchObject({ open: 3, expired: 0, openMinor: 300 });
  await updatePromotion(ctx, { id, changedBy: newId(), changes: { status: "ended" } });
  expect(await read(id)).toMatchObject({ assigned: 3, open: 1, expired: 2, openMinor: 100 });

  const other = await offer(2);
  await system.promotions.db
    .update(promotions)
    .set({ startsAt: sql`now() - interval '2 days'`, endsAt: sql`now() - interval '1 millisecond'` })
    .where(eq(promotions.id, other.id));
  expect(await read(other.id)).toMatchObject({ open: 0, expired: 2, openMinor: 0 });
});

test("what is past its own deadline is expired, marked or not", async () => {
  const { id, playerIds } = await offer(5, { claimWithinHours: 1 });
  const [marked, unmarked, told] = playerIds as [string, string, string];
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  await setAssignment(marked, id, { assigned_at: hoursAgo(3), status: "expired", expired_at: hoursAgo(2) });
  await setAssignment(unmarked, id, { assigned_at: hoursAgo(1.01) });
  await setAssignment(told, id, { assigned_at: hoursAgo(1.01), expiry_told_at: hoursAgo(0.5) });
  const figures = { assigned: 5, open: 2, expired: 3, openMinor: 200 };
  expect(await read(id)).toMatchObject(figures);
  expect((await readStatisticsOf(ctx, [id])).get(id)).toMatchObject(figures);
});

test("what is withdrawn is counted as that, and what was paid of it is taken back; a paused promotion's are still open", async () => {
  const { id, playerIds, claim } = await offer(4, { maxClaims: 4 });
  const [claimed, open, other] = playerIds as [string, string, string];
  await claim(claimed);
  await claim(other);
  const revoke = (playerId: string) =>
    revokeAssignment(ctx, { promotionId: id, playerId, revokedBy: newId(), reason: "A test" });
  await revoke(open);
  await revoke(claimed);
  await updatePromotion(ctx, { id, changedBy: newId(), changes: { status: "paused" } });
  const figures = { assigned: 4, open: 1, claimed: 1, revoked: 2, paidMinor: 100, reversedMinor: 100, openMinor: 100 };
  expect(await read(id)).toMatchObject({ ...figures, capUsed: 0.25 });
  await foldAll();
  const { perDay } = await read(id);
  expect(perDay.reduce((sum, day) => sum + day.paidMinor, 0)).toBe(100);
  // A withdrawal that is under way: the money is still the player's.
  await setAssignment(other, id, { status: "revoking" });
  expect(await read(id)).toMatchObject(figures);
});

test("a day begins in the time zone of reports, one that is half an hour apart or changes its clocks too", async () => {
  const { id, playerIds } = await offer(4, {
    startsAt: new Date("2025-01-01T00:00:00Z"),
    endsAt: new Date(Date.now() + 86_400_000),
  });
  // 18:30 in UTC is midnight in India; on 29 March 2026 Malta's day has 23 hours, and begins at 23:00 of UTC's day before.
  const times = ["2026-01-10T18:29:59Z", "2026-01-10T18:30:00Z", "2026-03-28T22:59:59Z", "2026-03-29T21:59:59Z"];
  for (const [index, time] of times.entries()) {
    await setAssignment(playerIds[index] as string, id, { assigned_at: time });
  }
  const daysIn = async (timeZone: string, period = {}) =>
    (await read(id, { timeZone, ...period })).perDay.map(({ day, assigned }) => [day, assigned]);
  const inIndia = [
    ["2026-01-10", 1],
    ["2026-01-11", 1],
    ["2026-03-29", 1],
    ["2026-03-30", 1],
  ];
  expect(await daysIn("Asia/Kolkata")).toEqual(inIndia);
  await foldAll();
  expect(await daysIn("Asia/Kolkata")).toEqual(inIndia);
  expect(await daysIn("UTC")).toEqual([
    ["2026-01-10", 2],
    ["2026-03-28", 1],
    ["2026-03-29", 1],
  ]);
  expect(await daysIn("Europe/Malta", { from: { day: "2026-03-28" }, to: { day: "2026-03-30" } })).toEqual([
    ["2026-03-28", 1],
    ["2026-03-29", 1],
  ]);
  expect(await daysIn("UTC", { from: { day: "2026-03-29" } })).toEqual([["2026-03-29", 1]]);
  expect(await daysIn("UTC", { to: { day: "2026-03-28" } })).toEqual([["2026-01-10", 2]]);
  const at = (time: string) => new Date(time);
  expect(await daysIn("UTC", { from: at("2026-01-10T23:59:59Z"), to: at("2026-03-28T00:00:01Z") })).toEqual([
    ["2026-01-10", 2],
    ["2026-03-28", 1],
  ]);
  expect(await read(id, { from: { day: "2030-01-01" } })).toMatchObject({ assigned: 4, perDay: [] });
});

test("a claim counts on the day on which it was claimed, and its money with it", async () => {
  const { id, playerIds, claim } = await offer(2);
  await claim(playerIds[0] as string);
  await setAssignment(playerIds[0] as string, id, {
    claimed_at: "2026-02-03T10:00:00Z",
    assigned_at: "2026-02-01T10:00:00Z",
  });
  await setAssignment(playerIds[1] as string, id, { assigned_at: "2026-02-03T11:00:00Z" });
  expect((await read(id)).perDay).toEqual([
    { day: "2026-02-01", assigned: 1, claimed: 0, paidMinor: 0 },
    { day: "2026-02-03", assigned: 1, claimed: 1, paidMinor: 100 },
  ]);
});

test("while many claim, many fold and many read, each reading adds up, and in the end all is there", async () => {
  const { id, playerIds, claim } = await offer(60);
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const { assigned, open, claimed, perDay, paidMinor } = await read(id);
      expect([assigned, open + claimed]).toEqual([60, 60]);
      expect(perDay.reduce((sum, day) => sum + day.paidMinor, 0)).toBe(paidMinor);
      await Promise.all([foldChanges(ctx, { changesMax: 4 }), foldChanges(ctx, { changesMax: 4 })]);
    }
  })();
  await Promise.all(playerIds.map(claim));
  isOver = true;
  await reading;
  expect(await read(id)).toMatchObject({ claimed: 60, open: 0, paidMinor: 6000 });
});

test("what is rolled back is not counted, and one statement leaves one change for each quarter of an hour", async () => {
  const { id, playerIds } = await offer(50);
  await foldAll();
  await system.promotions.client
    .begin(async (tx) => {
      await tx`delete from assignments where promotion_id = ${id}`;
      throw new Error("rolled back");
    })
    .catch(() => {});
  expect(await read(id)).toMatchObject({ assigned: 50, open: 50 });
  expect(await system.promotions.db.$count(assignmentChanges)).toBe(0);
  await system.promotions.db.delete(assignments).where(eq(assignments.promotionId, id));
  expect(await system.promotions.db.$count(assignmentChanges)).toBeLessThanOrEqual(2);
  await foldAll();
  expect(await read(id)).toMatchObject({ assigned: 0, open: 0, perDay: [] });
  expect(playerIds).toHaveLength(50);
});
