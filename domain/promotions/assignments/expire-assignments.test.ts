import { and, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { notificationEvent } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { notAskedFor } from "../../../tests/support/balance-service.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../../tests/support/promotions.ts";
import { claimPromotion } from "../claims/claim-promotion.ts";
import type { ClaimContext } from "../context.ts";
import { findPlayerPromotions } from "../players/find-player-promotions.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { assignPromotion } from "./assign-promotion.ts";
import { expireAssignments, type Position } from "./expire-assignments.ts";
import { type FindAssignmentsInput, findAssignments } from "./find-assignments.ts";
import { findRunOut } from "./find-run-out.ts";

const HOUR_MS = 3_600_000;
const NOTICE_HOURS = 24;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: ClaimContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  const balance = { addTransaction: notAskedFor, voidTransaction: notAskedFor };
  ctx = { db: database.db, currency: "EUR", log: silentLog, balance };
});
afterAll(() => database.drop());
/** Whatever earlier tests have left due is none of the next one's. */
beforeEach(() => runExpirer());

const fromNow = (hours: number) => new Date(Date.now() + hours * HOUR_MS);

/** Works off everything that is due, as the worker does. @returns how many were marked and told */
async function runExpirer({ batchMax = 500 } = {}) {
  const counts = { expired: 0, expiring: 0, told: 0 };
  for (const { promotionId, due } of await findRunOut(ctx, { noticeHours: NOTICE_HOURS })) {
    let after: Position | undefined;
    do {
      const input = { promotionId, due, after, noticeHours: NOTICE_HOURS, batchMax };
      const { marked, told, next } = await expireAssignments(ctx, input);
      counts[due === "expiring" ? "expiring" : "expired"] += marked;
      counts.told += told;
      after = next;
    } while (after !== undefined);
  }
  return counts;
}

/** An active promotion that players have. @returns its id and theirs */
async function given(overrides: Parameters<typeof newPromotion>[0] = {}, count = 1) {
  const events = Array.from({ length: count }, () => ({ event: registered() }));
  await recordPlayerEvents(ctx, events);
  const playerIds = events.map(({ event }) => event.subject);
  const { id: promotionId } = await createPromotion(
    ctx,
    newPromotion({ startsAt: fromNow(-2_000), endsAt: fromNow(1_000), ...overrides }),
  );
  await assignPromotion(ctx, { promotionId, playerIds, assignedBy: newId() });
  return { promotionId, playerIds, playerId: playerIds[0] as string };
}

const age = (promotionId: string, hours: number) =>
  database.db
    .update(assignments)
    .set({ assignedAt: fromNow(-hours) })
    .where(eq(assignments.promotionId, promotionId));
const end = (promotionId: string) =>
  updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "ended" } });
const rowsOf = (promotionId: string) =>
  database.db.select().from(assignments).where(eq(assignments.promotionId, promotionId));
const statusesOf = async (promotionId: string) => [...new Set((await rowsOf(promotionId)).map(({ status }) => status))];

/** @returns what players were told of a promotion since it was assigned */
async function toldOf(promotionId: string) {
  const rows = await database.db
    .select({ event: outbox.event })
    .from(outbox)
    .where(and(eq(sql`${outbox.event}->'data'->>'promotionId'`, promotionId)))
    .orderBy(outbox.id);
  return rows.map(({ event }) => notificationEvent.parse(event)).filter(({ type }) => type !== "PROMOTION");
}

test("what has run out is marked and announced once, and what has not is left alone", async () => {
  const early = await given({ claimWithinHours: 48 });
  const late = await given({ claimWithinHours: 48 });
  const forEver = await given();
  await age(early.promotionId, 48);
  await age(late.promotionId, 20);
  expect(await runExpirer()).toEqual({ expired: 1, expiring: 0, told: 1 });
  expect(await runExpirer()).toEqual({ expired: 0, expiring: 0, told: 0 });
  const [row] = await rowsOf(early.promotionId);
  expect(row).toMatchObject({ status: "expired", expiredAt: expect.any(Date), expiryToldAt: null });
  const expiresAt = new Date(Number(row?.assignedAt) + 48 * HOUR_MS);
  const [event, ...others] = await toldOf(early.promotionId);
  expect(others).toEqual([]);
  expect(event).toMatchObject({
    type: "PROMOTION_EXPIRED",
    subject: early.playerId,
    time: row?.expiredAt?.toISOString(),
    data: { promotionId: early.promotionId, amountMinor: 2000, expiresAt: expiresAt.toISOString() },
  });
  for (const { promotionId } of [late, forEver]) {
    expect(await statusesOf(promotionId)).toEqual(["assigned"]);
    expect(await toldOf(promotionId)).toEqual([]);
  }
});

test("the deadline is the promotion's end where that comes first, moves with it, and runs on while it is paused", async () => {
  const { promotionId, playerId } = await given({ claimWithinHours: 500, endsAt: fromNow(400) });
  const expiresAt = async () => {
    const { data } = await findPlayerPromotions(ctx, { playerId, limit: 1 });
    return data[0]?.expiresAt.getTime();
  };
  const change = (changes: Parameters<typeof updatePromotion>[1]["changes"]) =>
    updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes });
  const [row] = await rowsOf(promotionId);
  const own = Number(row?.assignedAt) + 500 * HOUR_MS;
  expect(await expiresAt()).toBeLessThan(own);
  const moved = fromNow(450);
  await change({ endsAt: moved });
  expect(await expiresAt()).toBe(moved.getTime());
  await change({ endsAt: fromNow(600) });
  expect(await expiresAt()).toBe(own);
  await change({ status: "paused" });
  await age(promotionId, 500);
  expect(await runExpirer()).toMatchObject({ expired: 1 });
});

test("ending a promotion expires what is open, whenever it would have run out", async () => {
  const { promotionId, playerId } = await given({ claimWithinHours: 48 }, 3);
  const { updatedAt } = await end(promotionId);
  const list = () => findPlayerPromotions(ctx, { playerId, limit: 1 });
  const unmarked = await list();
  expect(unmarked.data).toMatchObject([{ status: "expired", expiresAt: updatedAt }]);
  expect(await runExpirer()).toEqual({ expired: 3, expiring: 0, told: 3 });
  expect(await list()).toEqual(unmarked);
  expect((await toldOf(promotionId))[0]).toMatchObject({ data: { expiresAt: updatedAt.toISOString() } });
});

test("many of one instant are worked off in batches, by several at once: each is announced once", async () => {
  const { promotionId, playerIds } = await given({}, 1_000);
  await end(promotionId);
  const outcomes = await Promise.all([1, 2, 3].map(() => runExpirer({ batchMax: 70 })));
  // Who comes while another one is at it leaves the promotion to it.
  expect(outcomes.reduce((sum, { expired }) => sum + expired, 0) + (await runExpirer()).expired).toBe(1_000);
  expect(await statusesOf(promotionId)).toEqual(["expired"]);
  const told = await toldOf(promotionId);
  expect(told.map(({ subject }) => subject).sort()).toEqual(playerIds.toSorted());
  expect(new Set(told.map(({ id }) => id)).size).toBe(1_000);
});

test.each<[what: string, overrides: Parameters<typeof newPromotion>[0], agedHours: number, isTold: boolean]>([
  ["its time is over within the notice", { claimWithinHours: 48 }, 25, true],
  ["its time is over after the notice", { claimWithinHours: 48 }, 23, false],
  ["it has less than twice the notice to live", { claimWithinHours: 47 }, 40, false],
  ["the promotion ends within the notice", { endsAt: fromNow(23) }, 30, true],
  ["the promotion ends after the notice", { endsAt: fromNow(25) }, 30, false],
  ["the end came closer than twice the notice", { endsAt: fromNow(20) }, 27, false],
  [
    "its own time is long, and the promotion ends within the notice",
    { claimWithinHours: 500, endsAt: fromNow(23) },
    30,
    true,
  ],
  ["its own time is short, and the promotion ends soon too", { claimWithinHours: 30, endsAt: fromNow(23) }, 28, false],
])("a player is told beforehand, once, if it is time: %s", async (_what, overrides, agedHours, isTold) => {
  const { promotionId, playerId } = await given(overrides);
  await age(promotionId, agedHours);
  const times = isTold ? 1 : 0;
  expect(await runExpirer()).toEqual({ expired: 0, expiring: times, told: times });
  expect(await runExpirer()).toEqual({ expired: 0, expiring: 0, told: 0 });
  const told = await toldOf(promotionId);
  expect(told).toHaveLength(times);
  if (!isTold) return;
  const { data } = await findPlayerPromotions(ctx, { playerId, limit: 1 });
  expect(data).toMatchObject([{ status: "assigned" }]);
  const expiresAt = data[0]?.expiresAt.toISOString();
  expect(told[0]).toMatchObject({ type: "PROMOTION_EXPIRING", subject: playerId, data: { expiresAt } });
  // Whoever was told is also marked when it is over.
  await end(promotionId);
  expect(await runExpirer()).toEqual({ expired: 1, expiring: 0, told: 1 });
  expect((await toldOf(promotionId)).map(({ type }) => type)).toEqual(["PROMOTION_EXPIRING", "PROMOTION_EXPIRED"]);
});

test("nobody is told that a paused promotion soon runs out, until it is resumed", async () => {
  const { promotionId } = await given({ claimWithinHours: 48 });
  await age(promotionId, 30);
  const setStatus = (status: "paused" | "active") =>
    updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status } });
  await setStatus("paused");
  expect(await runExpirer()).toMatchObject({ expiring: 0 });
  await setStatus("active");
  expect(await runExpirer()).toMatchObject({ expiring: 1 });
});

test("what ran out more than a week ago is marked, and nobody is told", async () => {
  const { promotionId } = await given({ claimWithinHours: 48 }, 2);
  const [one] = await rowsOf(promotionId);
  await age(promotionId, 48 + 6 * 24);
  await database.db
    .update(assignments)
    .set({ assignedAt: fromNow(-48 - 7 * 24) })
    .where(eq(assignments.id, one?.id as string));
  expect(await runExpirer()).toEqual({ expired: 2, expiring: 0, told: 1 });
  expect((await toldOf(promotionId)).map(({ subject }) => subject)).not.toContain(one?.playerId);
});

test("while staff move the end, nothing of the promotion is marked; afterwards by the new end", async () => {
  const { promotionId } = await given({ endsAt: fromNow(100) }, 2);
  // Over by the clock of the database; whoever moves it has locked it a moment before.
  await database.db
    .update(promotions)
    .set({ endsAt: fromNow(-1) })
    .where(eq(promotions.id, promotionId));
  let expiring: ReturnType<typeof runExpirer> | undefined;
  await database.db.transaction(async (tx) => {
    await tx.select().from(promotions).where(eq(promotions.id, promotionId)).for("update");
    expiring = runExpirer();
    await tx
      .update(promotions)
      .set({ endsAt: fromNow(100) })
      .where(eq(promotions.id, promotionId));
  });
  expect(await expiring).toEqual({ expired: 0, expiring: 0, told: 0 });
  expect(await statusesOf(promotionId)).toEqual(["assigned"]);
});

test("an assignment that is being claimed just now is left alone, and holds nobody up", async () => {
  const { promotionId, playerId } = await given({}, 3);
  await end(promotionId);
  await database.db.transaction(async (tx) => {
    const isOne = and(eq(assignments.promotionId, promotionId), eq(assignments.playerId, playerId));
    await tx.update(assignments).set({ status: "claiming", claimKey: newId(), claimingAt: new Date() }).where(isOne);
    expect(await runExpirer()).toEqual({ expired: 2, expiring: 0, told: 2 });
  });
  expect(await runExpirer()).toEqual({ expired: 0, expiring: 0, told: 0 });
  expect((await statusesOf(promotionId)).sort()).toEqual(["claiming", "expired"]);
});

test.each([
  ["without a cap", {}],
  ["with a cap", { maxClaims: 10 }],
])("a claim after the deadline is refused, marked or not, and writes nothing: %s", async (_what, overrides) => {
  const { promotionId, playerId } = await given({ claimWithinHours: 1, ...overrides });
  await age(promotionId, 1);
  const claim = () => claimPromotion(ctx, { playerId, promotionId });
  await expect(claim()).rejects.toMatchObject({ code: "assignment_expired", kind: "failed_precondition" });
  expect(await statusesOf(promotionId)).toEqual(["assigned"]);
  await runExpirer();
  await expect(claim()).rejects.toMatchObject({ code: "assignment_expired" });
  // What is wrong with the promotion itself is said first.
  await end(promotionId);
  await expect(claim()).rejects.toMatchObject({ code: "promotion_not_active" });
  const used =
    await database.client`select coalesce(sum(used), 0)::int as used from promotion_slots where promotion_id = ${promotionId}`;
  expect(used[0]).toEqual({ used: 0 });
});

test("an open promotion is one that can still be claimed: the limit per player counts no other", async () => {
  const full = { ...ctx, openPromotionsMax: 1 };
  const { promotionId, playerId } = await given({ claimWithinHours: 1 });
  const { id: other } = await createPromotion(ctx, newPromotion());
  const assignOther = (dryRun: boolean) =>
    assignPromotion(full, { promotionId: other, playerIds: [playerId], assignedBy: newId(), dryRun });
  expect(await assignOther(true)).toMatchObject({ assigned: 0, rejected: [{ code: "too_many_open_promotions" }] });
  await age(promotionId, 1);
  expect(await assignOther(true)).toMatchObject({ assigned: 1 });
  await runExpirer();
  expect(await assignOther(false)).toMatchObject({ assigned: 1 });
});

test("staff see who has a promotion, page by page, by status and by player; what has run out is expired, marked or not", async () => {
  const { promotionId, playerIds } = await given({ claimWithinHours: 48 }, 5);
  const other = await given();
  const [marked, unmarked, told] = playerIds as [string, string, string];
  const set = (playerId: string, values: Partial<typeof assignments.$inferInsert>) =>
    database.db
      .update(assignments)
      .set(values)
      .where(and(eq(assignments.promotionId, promotionId), eq(assignments.playerId, playerId)));
  await set(marked, { assignedAt: fromNow(-50) });
  await set(told, { assignedAt: fromNow(-30) });
  await runExpirer();
  await set(unmarked, { assignedAt: fromNow(-49) });
  const list = (input: Partial<FindAssignmentsInput> = {}) =>
    findAssignments(ctx, { promotionId, limit: 100, readBy: { actorId: newId() }, ...input });
  const playersOf = async (input: Partial<FindAssignmentsInput>) =>
    (await list(input)).data.map(({ playerId }) => playerId).sort();

  const all = await list();
  expect(all.data.map(({ id }) => id)).toEqual(
    all.data
      .map(({ id }) => id)
      .toSorted()
      .reverse(),
  );
  expect(all.data.map(({ playerId }) => playerId).sort()).toEqual(playerIds.toSorted());
  expect(await playersOf({ status: "expired" })).toEqual([marked, unmarked].sort());
  expect(await playersOf({ status: "assigned" })).toEqual(playerIds.slice(2).sort());
  expect(await playersOf({ status: "claimed" })).toEqual([]);
  const { data: one } = await list({ playerId: told });
  const [row] = (await rowsOf(promotionId)).filter(({ playerId }) => playerId === told);
  expect(one).toEqual([
    {
      id: row?.id,
      playerId: told,
      status: "assigned",
      assignedBy: row?.assignedBy,
      assignedAt: row?.assignedAt,
      expiresAt: new Date(Number(row?.assignedAt) + 48 * HOUR_MS),
      claimedAt: null,
      transactionId: null,
      revokedAt: null,
      revokeReason: null,
    },
  ]);
  const first = await list({ limit: 2 });
  const second = await list({ limit: 2, cursor: first.nextCursor ?? "" });
  const third = await list({ limit: 2, cursor: second.nextCursor ?? "" });
  expect([...first.data, ...second.data, ...third.data]).toEqual(all.data);
  expect(third.nextCursor).toBeNull();

  expect(await playersOf({ playerId: other.playerId })).toEqual([]);
  await expect(list({ promotionId: newId() })).rejects.toMatchObject({ code: "promotion_not_found" });
  const foreign = list({ promotionId: other.promotionId, cursor: first.nextCursor ?? "" });
  await expect(foreign).rejects.toMatchObject({ code: "invalid_cursor" });
});
