import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { newEvent } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
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
