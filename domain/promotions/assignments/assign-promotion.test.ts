import { and, eq, inArray } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import { newEvent } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { connectDatabase, type Database } from "../../../lib/postgres.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered, verification } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import type { Promotion } from "../promotions/promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { assignPromotion } from "./assign-promotion.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog };
});
afterAll(() => database.drop());

async function knownPlayers(count: number): Promise<string[]> {
  const events = Array.from({ length: count }, () => ({ event: registered() }));
  await recordPlayerEvents(ctx, events);
  return events.map(({ event }) => event.subject);
}

const assign = (promotionId: string, playerIds: string[]) =>
  assignPromotion(ctx, { promotionId, playerIds, assignedBy: newId() });

const countOf = async (promotionId: string) =>
  (await database.db.select().from(assignments).where(eq(assignments.promotionId, promotionId))).length;
const eventsOf = async (promotionId: string) =>
  (await database.db.select().from(outbox)).filter(
    ({ event }) => (event as { data: { promotionId: string } }).data.promotionId === promotionId,
  );

test("10,000 players in one request: each is assigned and announced once, those unknown are named", async () => {
  const promotion = await createPromotion(ctx, newPromotion());
  const known = await knownPlayers(2_000);
  const unknown = Array.from({ length: 8_000 }, newId);
  const result = await assign(promotion.id, [...known, ...unknown]);
  expect(result).toMatchObject({ assigned: 2_000, alreadyAssigned: 0 });
  expect(result.rejected.map(({ playerId }) => playerId).sort()).toEqual(unknown.sort());
  expect(new Set(result.rejected.map(({ code }) => code))).toEqual(new Set(["player_not_found"]));
  expect(new Set((await eventsOf(promotion.id)).map(({ key }) => key)).size).toBe(2_000);
});

test("a dry run says what would become of each, and writes nothing", async () => {
  const promotion = await createPromotion(ctx, newPromotion());
  const [having, eligible, unknown] = [await knownPlayers(2), await knownPlayers(3), [newId()]];
  await assign(promotion.id, having);
  const input = { promotionId: promotion.id, playerIds: [...having, ...eligible, ...unknown], assignedBy: newId() };
  const dry = await assignPromotion(ctx, { ...input, dryRun: true });
  expect(dry).toMatchObject({ assigned: 3, alreadyAssigned: 2, rejected: [{ code: "player_not_found" }] });
  expect([await countOf(promotion.id), (await eventsOf(promotion.id)).length]).toEqual([2, 2]);
  expect(await assignPromotion(ctx, input)).toEqual(dry);
  expect([await countOf(promotion.id), (await eventsOf(promotion.id)).length]).toEqual([5, 5]);
});

test("overlapping requests at once assign each player once", async () => {
  const promotion = await createPromotion(ctx, newPromotion());
  const ids = await knownPlayers(100);
  const results = await Promise.all([
    assign(promotion.id, ids),
    assign(promotion.id, ids.toReversed()),
    assign(promotion.id, [...ids.slice(50), ...ids.slice(0, 50), ...ids]),
  ]);
  expect(results.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(100);
  expect(results.reduce((sum, { alreadyAssigned }) => sum + alreadyAssigned, 0)).toBe(200);
  expect(await countOf(promotion.id)).toBe(100);
  expect(await eventsOf(promotion.id)).toHaveLength(100);
});

test("suspended and self-excluded players are rejected with the reason", async () => {
  const promotion = await createPromotion(ctx, newPromotion());
  const [suspended, excluded] = (await knownPlayers(2)) as [string, string];
  await recordPlayerEvents(ctx, [
    {
      event: newEvent("/users", "PLAYER_STATUS_CHANGED", suspended, new Date(), {
        playerId: suspended,
        status: "suspended",
      }),
    },
    {
      event: newEvent("/users", "PLAYER_STATUS_CHANGED", excluded, new Date(), {
        playerId: excluded,
        status: "self_excluded",
      }),
    },
  ]);
  const { rejected } = await assign(promotion.id, [suspended, excluded]);
  expect(Object.fromEntries(rejected.map(({ playerId, code }) => [playerId, code]))).toEqual({
    [suspended]: "player_suspended",
    [excluded]: "player_self_excluded",
  });
});

test("what is not active now can't be assigned", async () => {
  const ids = await knownPlayers(1);
  const draft = await createPromotion(ctx, newPromotion({ status: "draft" }));
  const future = await createPromotion(ctx, newPromotion({ startsAt: new Date(Date.now() + 60_000) }));
  const past = await createPromotion(ctx, newPromotion());
  await database.db
    .update(promotions)
    .set({ endsAt: new Date(Date.now() - 1_000) })
    .where(eq(promotions.id, past.id));
  for (const { id } of [draft, future, past]) {
    await expect(assign(id, ids)).rejects.toMatchObject({ code: "promotion_not_active" });
    expect(await countOf(id)).toBe(0);
  }
  await expect(assign(newId(), ids)).rejects.toMatchObject({ code: "promotion_not_found" });
});

test("assign against pause: all of the request is assigned or none, and nothing after the pause", async () => {
  const ids = await knownPlayers(50);
  for (let round = 0; round < 5; round++) {
    const { id } = await createPromotion(ctx, newPromotion());
    const [assigned, paused] = await Promise.allSettled([
      assign(id, ids),
      updatePromotion(ctx, { id, changedBy: newId(), changes: { status: "paused" } }),
    ]);
    expect(paused.status).toBe("fulfilled");
    expect(await countOf(id)).toBe(assigned.status === "fulfilled" ? 50 : 0);
    expect((await eventsOf(id)).length).toBe(assigned.status === "fulfilled" ? 50 : 0);
  }
});

test("one that requires it goes to who is verified, and a dry run says so too", async () => {
  const [verified, other, suspended] = (await knownPlayers(3)) as [string, string, string];
  await recordPlayerEvents(ctx, [{ event: verification(verified, true) }]);
  await database.db.update(players).set({ status: "suspended" }).where(eq(players.id, suspended));
  const { id } = await createPromotion(ctx, newPromotion({ requiresVerification: true }));
  const input = { promotionId: id, playerIds: [verified, other, suspended], assignedBy: newId() };
  const answer = {
    assigned: 1,
    alreadyAssigned: 0,
    rejected: expect.arrayContaining([
      { playerId: other, code: "player_not_verified" },
      { playerId: suspended, code: "player_suspended" },
    ]),
  };
  expect(await assignPromotion(ctx, { ...input, dryRun: true })).toEqual(answer);
  expect(await assignPromotion(ctx, input)).toEqual(answer);
});

describe("with a bound of open promotions", () => {
  const openMax = 3;
  const offers = (count: number, overrides = {}) =>
    Promise.all(Array.from({ length: count }, () => createPromotion(ctx, newPromotion(overrides))));
  const give = (promotionId: string, playerIds: string[], options: { db?: Database; dryRun?: boolean } = {}) => {
    const { db = ctx.db, dryRun = false } = options;
    const bounded = { ...ctx, db, openPromotionsMax: openMax };
    return assignPromotion(bounded, { promotionId, playerIds, assignedBy: newId(), dryRun });
  };
  const tooMany = (playerId: string) => ({ playerId, code: "too_many_open_promotions" });

  test("who has as many is rejected, also in a dry run, and nobody else is", async () => {
    const [[full, other], [first, second, third, fourth]] = [await knownPlayers(2), await offers(4)] as [
      [string, string],
      [Promotion, Promotion, Promotion, Promotion],
    ];
    for (const { id } of [first, second, third]) await give(id, [full]);
    const answer = { assigned: 1, alreadyAssigned: 0, rejected: [tooMany(full)] };
    expect(await give(fourth.id, [full, other], { dryRun: true })).toEqual(answer);
    expect(await give(fourth.id, [full, other])).toEqual(answer);
    // One that they have is no further one.
    expect(await give(third.id, [full])).toEqual({ assigned: 0, alreadyAssigned: 1, rejected: [] });
  });

  test.each<[string, (promotionId: string, playerId: string) => Promise<unknown>]>([
    ["claimed", (promotionId, playerId) => settle(promotionId, playerId, "claimed")],
    ["revoked", (promotionId, playerId) => settle(promotionId, playerId, "revoked")],
    ["ended", (id) => updatePromotion(ctx, { id, changedBy: newId(), changes: { status: "ended" } })],
    ["over", (id) => database.db.update(promotions).set({ endsAt: new Date() }).where(eq(promotions.id, id))],
  ])("one that is %s is not open any more", async (_, close) => {
    const [[player], [first, ...more]] = [await knownPlayers(1), await offers(openMax + 1)] as [
      [string],
      [Promotion, ...Promotion[]],
    ];
    const last = more.pop() as Promotion;
    for (const { id } of [first, ...more]) await give(id, [player]);
    expect((await give(last.id, [player])).rejected).toEqual([tooMany(player)]);
    await close(first.id, player);
    expect(await give(last.id, [player])).toMatchObject({ assigned: 1, rejected: [] });
  });

  test("one that is paused or being claimed is open", async () => {
    const [[player], [first, second, third, last]] = [await knownPlayers(1), await offers(4)] as [
      [string],
      [Promotion, Promotion, Promotion, Promotion],
    ];
    for (const { id } of [first, second, third]) await give(id, [player]);
    await updatePromotion(ctx, { id: first.id, changedBy: newId(), changes: { status: "paused" } });
    await settle(second.id, player, "claiming");
    expect((await give(last.id, [player])).rejected).toEqual([tooMany(player)]);
  });

  test("12 promotions assigned to the same 20 players at once from three replicas: none has more than they may", async () => {
    const replicas = Array.from({ length: 3 }, (_, n) => connectDatabase({ url: database.url, name: `replica-${n}` }));
    try {
      const [playerIds, all] = [await knownPlayers(20), await offers(12)];
      const answers = await Promise.all(
        all.map(({ id }, n) => {
          const order = n % 2 === 0 ? playerIds : playerIds.toReversed();
          return give(id, order, { db: replicas[n % 3]?.db as Database });
        }),
      );
      expect(answers.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(20 * openMax);
      expect(answers.flatMap(({ rejected }) => rejected)).toHaveLength(20 * (12 - openMax));
      const rows = await database.db.select().from(assignments).where(inArray(assignments.playerId, playerIds));
      const perPlayer = playerIds.map((id) => rows.filter(({ playerId }) => playerId === id).length);
      expect(perPlayer).toEqual(Array(20).fill(openMax));
    } finally {
      await Promise.all(replicas.map(({ close }) => close()));
    }
  });
});

/** Puts an assignment into a status, as a claim or a withdrawal would. */
const settle = (promotionId: string, playerId: string, status: "claiming" | "claimed" | "revoked") =>
  database.db
    .update(assignments)
    .set({
      status,
      claimKey: newId(),
      ...(status === "revoked" ? { revokedAt: new Date(), revokedBy: newId(), revokeReason: "by a test" } : {}),
      ...(status === "claimed" ? { claimedAt: new Date(), transactionId: newId(), balanceMinor: 2000 } : {}),
    })
    .where(and(eq(assignments.promotionId, promotionId), eq(assignments.playerId, playerId)));
