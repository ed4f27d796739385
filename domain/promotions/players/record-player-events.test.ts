import { eq, inArray } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignments, players } from "../../../drizzle/promotions/schema.ts";
import { newEvent, type PlayerStatus } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered, verification } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import type { Promotion } from "../promotions/promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { recordPlayerEvents } from "./record-player-events.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
let bonus: Promotion;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog };
  bonus = await createPromotion(ctx, newPromotion({ type: "WELCOME_BONUS" }));
});
afterAll(() => database.drop());

const assignmentsOf = (playerId: string) =>
  database.db.select().from(assignments).where(eq(assignments.playerId, playerId));
const queuedFor = (playerIds: string[]) => database.db.select().from(outbox).where(inArray(outbox.key, playerIds));

test("the same registration any number of times, also at once, assigns and announces the bonus once", async () => {
  const events = Array.from({ length: 20 }, () => ({ event: registered() }));
  await recordPlayerEvents(ctx, events);
  await Promise.all([recordPlayerEvents(ctx, events), recordPlayerEvents(ctx, events.toReversed())]);
  const ids = events.map(({ event }) => event.subject);
  const queued = await queuedFor(ids);
  expect(queued).toHaveLength(20);
  expect(new Set(queued.map(({ key }) => key)).size).toBe(20);
  expect(queued[0]).toMatchObject({
    topic: "notification",
    event: { type: "PROMOTION", source: "/promotions", data: { promotionId: bonus.id, amountMinor: 2000 } },
  });
  for (const id of ids) expect(await assignmentsOf(id)).toHaveLength(1);
});

test("if one event of a batch can't be recorded, none of the batch is", async () => {
  const good = registered();
  const bad = { ...registered(), data: { playerId: "not-a-uuid" } };
  await expect(recordPlayerEvents(ctx, [{ event: good }, { event: bad }])).rejects.toThrow();
  expect(await assignmentsOf(good.subject)).toEqual([]);
  expect(await queuedFor([good.subject])).toEqual([]);
});

test("the bonus that counts is the one active at the event's time, not when it is processed", async () => {
  const beforeItsStart = registered(newId(), new Date(bonus.startsAt.getTime() - 1));
  const beforeItsCreation = registered(newId(), new Date(bonus.createdAt.getTime() - 1));
  const whileActive = registered(newId(), new Date());
  const paused = await updatePromotion(ctx, { id: bonus.id, changedBy: newId(), changes: { status: "paused" } });
  const whilePaused = registered(newId(), paused.updatedAt);
  const resumed = await updatePromotion(ctx, { id: bonus.id, changedBy: newId(), changes: { status: "active" } });
  const afterResume = registered(newId(), resumed.updatedAt);
  const ended = await updatePromotion(ctx, { id: bonus.id, changedBy: newId(), changes: { status: "ended" } });
  const afterEnd = registered(newId(), ended.updatedAt);
  const successor = await createPromotion(ctx, newPromotion({ type: "WELCOME_BONUS" }));
  const afterSuccessor = registered(newId(), new Date(successor.createdAt.getTime() + 1));

  const all = { beforeItsStart, beforeItsCreation, whileActive, whilePaused, afterResume, afterEnd, afterSuccessor };
  await recordPlayerEvents(
    ctx,
    Object.values(all).map((event) => ({ event })),
  );
  const given = await Promise.all(
    Object.entries(all).map(async ([name, { subject }]) => [
      name,
      (await assignmentsOf(subject)).map((row) => row.promotionId),
    ]),
  );
  expect(Object.fromEntries(given)).toEqual({
    beforeItsStart: [],
    beforeItsCreation: [],
    whileActive: [bonus.id],
    whilePaused: [],
    afterResume: [bonus.id],
    afterEnd: [],
    afterSuccessor: [successor.id],
  });
});

test("an older status that comes late does not undo a newer one, and a status may come before the registration", async () => {
  const playerId = newId();
  const status = (value: PlayerStatus, time: Date) =>
    newEvent("/users", "PLAYER_STATUS_CHANGED", playerId, time, { playerId, status: value });
  const now = Date.now();
  await recordPlayerEvents(ctx, [{ event: status("suspended", new Date(now)) }]);
  await recordPlayerEvents(ctx, [{ event: status("active", new Date(now - 1000)) }]);
  await recordPlayerEvents(ctx, [{ event: registered(playerId, new Date(now - 2000)) }]);
  const [player] = await database.db.select().from(players).where(eq(players.id, playerId));
  expect(player).toMatchObject({ status: "suspended", registeredAt: new Date(now - 2000) });
});

test("an older verification that comes late does not undo a newer one, and it may be what is heard first", async () => {
  const playerId = newId();
  const read = async () => (await database.db.select().from(players).where(eq(players.id, playerId)))[0];
  const now = Date.now();
  await recordPlayerEvents(ctx, [{ event: verification(playerId, true, new Date(now)) }]);
  await recordPlayerEvents(ctx, [{ event: verification(playerId, false, new Date(now - 1000)) }]);
  const suspended = { playerId, status: "suspended" } as const;
  const status = newEvent("/users", "PLAYER_STATUS_CHANGED", playerId, new Date(now - 2000), suspended);
  await recordPlayerEvents(ctx, [{ event: status }, { event: registered(playerId, new Date(now - 3000)) }]);
  expect(await read()).toMatchObject({ verified: true, status: "suspended", registeredAt: new Date(now - 3000) });
  await recordPlayerEvents(ctx, [{ event: verification(playerId, false, new Date(now + 1)) }]);
  expect(await read()).toMatchObject({ verified: false, status: "suspended" });
});

test("who has just registered is not verified, and stays what they are when the registration comes again", async () => {
  const event = registered();
  const playerId = event.subject;
  await recordPlayerEvents(ctx, [{ event }]);
  const read = async () => (await database.db.select().from(players).where(eq(players.id, playerId)))[0];
  expect(await read()).toMatchObject({ verified: false, verifiedAt: null });
  await recordPlayerEvents(ctx, [{ event: verification(playerId, true) }, { event }]);
  expect(await read()).toMatchObject({ verified: true });
});
