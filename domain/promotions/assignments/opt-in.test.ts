import { and, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import type { AppError } from "../../../lib/errors.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { awaitRedis, connectRedis, type Redis } from "../../../lib/redis.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered, verification } from "../../../tests/support/promotions.ts";
import { connectCounted } from "../../../tests/support/round-trips.ts";
import { servers } from "../../../tests/support/servers.ts";
import { until } from "../../../tests/support/until.ts";
import type { OptInContext } from "../context.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { generateCode } from "../promotions/code.ts";
import type { CreatePromotionInput } from "../promotions/create-promotion.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import type { PromotionStatus } from "../promotions/promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { assignPromotion } from "./assign-promotion.ts";
import { createCodeGuesses, GUESSES_PER_PLAYER } from "./code-guesses.ts";
import { type OptInResult, optIn } from "./opt-in.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let redis: Redis;
let ctx: OptInContext;
let playerId: string;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  redis = connectRedis(servers.redisUrl, silentLog);
  await awaitRedis(redis);
  const codeGuesses = createCodeGuesses(redis, silentLog, "off");
  ctx = { db: database.db, currency: "EUR", log: silentLog, codeGuesses };
});
afterAll(async () => {
  redis.disconnect();
  await database.drop();
});
beforeEach(async () => {
  playerId = await knownPlayer();
});

async function knownPlayer(): Promise<string> {
  const event = registered();
  await recordPlayerEvents(ctx, [{ event }]);
  return event.subject;
}

/** A promotion that a code is for. */
async function offer(overrides: Partial<CreatePromotionInput> = {}): Promise<{ id: string; code: string }> {
  const code = generateCode();
  const { id } = await createPromotion(ctx, newPromotion({ code, ...overrides }));
  return { id, code };
}
const setStatus = (id: string, status: PromotionStatus) =>
  updatePromotion(ctx, { id, changedBy: newId(), changes: { status } });
const enter = (code: string, by = playerId, more: Partial<OptInContext> = {}) =>
  optIn({ ...ctx, ...more }, { playerId: by, code, address: "" });
const assignmentsOf = (promotionId: string) =>
  database.db.select().from(assignments).where(eq(assignments.promotionId, promotionId));
const eventsOf = async (promotionId: string) =>
  (await database.db.select().from(outbox)).filter(
    ({ event }) => (event as { data: { promotionId: string } }).data.promotionId === promotionId,
  );
/** How many assignments and announcements there are of a promotion. */
const traces = async (promotionId: string) => [
  (await assignmentsOf(promotionId)).length,
  (await eventsOf(promotionId)).length,
];

test("whoever enters the code has the promotion, whatever its case and spaces, by their own hand", async () => {
  const { id, code } = await offer();
  const entered = ` ${code.slice(0, 3).toLowerCase()} ${code.slice(3)}\t`;
  const item = await enter(entered);
  expect(item).toMatchObject({
    promotion: { id },
    status: "assigned",
    claimedAt: null,
    exhausted: false,
    replayed: false,
  });
  expect(item.promotion).not.toHaveProperty("code");
  expect(await assignmentsOf(id)).toMatchObject([{ id: item.id, playerId, assignedBy: playerId }]);
  expect(await eventsOf(id)).toMatchObject([{ key: playerId, event: { type: "PROMOTION" } }]);
  expect(await enter(code)).toEqual({ ...item, replayed: true });
  expect(await traces(id)).toEqual([1, 1]);
});

test("the same code entered 20 times at once assigns and announces once", async () => {
  const { id, code } = await offer();
  const results = await Promise.all(Array.from({ length: 20 }, () => enter(code)));
  expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(new Set(results.map((item: OptInResult) => item.id)).size).toBe(1);
  expect(await traces(id)).toEqual([1, 1]);
});

test("entered while staff assign it: they have it once, and are told once", async () => {
  for (let round = 0; round < 5; round++) {
    const { id, code } = await offer();
    await Promise.all([
      enter(code),
      assignPromotion(ctx, { promotionId: id, playerIds: [playerId], assignedBy: newId() }),
    ]);
    expect(await traces(id)).toEqual([1, 1]);
  }
});

test("a pause waits for whoever is just entering the code", async () => {
  const { id, code } = await offer();
  const order: string[] = [];
  const lockWaits = async () => {
    const [row] = await database.client`
      select count(*)::int as waits from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.waits as number;
  };
  let both: Promise<unknown> | undefined;
  // Whoever looks how many promotions the player has open waits for this.
  await database.client.begin(async (sql) => {
    await sql`select from players where id = ${playerId} for update`;
    const entering = enter(code, playerId, { openPromotionsMax: 5 }).then(() => order.push("entered"));
    await until("the player waits", async () => (await lockWaits()) === 1);
    const pausing = setStatus(id, "paused").then(() => order.push("paused"));
    both = Promise.all([entering, pausing]);
    await until("the pause waits, or does not", async () => (await lockWaits()) === 2 || order.length > 0);
  });
  await both;
  expect(order).toEqual(["entered", "paused"]);
  expect(await traces(id)).toEqual([1, 1]);
});

test("entered while it is paused or ended: had and announced, or unknown, and nothing after that", async () => {
  for (const status of ["paused", "ended", "paused", "ended"] as const) {
    const { id, code } = await offer();
    const [entered, stepped] = await Promise.allSettled([enter(code), setStatus(id, status)]);
    expect(stepped.status).toBe("fulfilled");
    if (entered.status === "rejected") expect(entered.reason).toMatchObject({ code: "code_unknown" });
    const times = entered.status === "fulfilled" ? 1 : 0;
    expect(await traces(id)).toEqual([times, times]);
    await expect(enter(code)).rejects.toMatchObject({ code: "code_unknown" });
  }
});

const INACTIVE: [string, () => Promise<{ id: string; code: string }>][] = [
  ["a draft", () => offer({ status: "draft" })],
  ["one that has not begun", () => offer({ startsAt: new Date(Date.now() + 60_000) })],
  [
    "one whose window is over",
    async () => {
      const over = await offer();
      await database.db.update(promotions).set({ endsAt: new Date() }).where(eq(promotions.id, over.id));
      return over;
    },
  ],
  ...(["paused", "ended"] as const).map((status): [string, () => Promise<{ id: string; code: string }>] => [
    `one that is ${status}`,
    async () => {
      const stopped = await offer();
      await enter(stopped.code);
      await setStatus(stopped.id, status);
      return stopped;
    },
  ]),
];

test.each(INACTIVE)(
  "the code of %s is answered as one that nobody gave out, with the same statements",
  async (_, made) => {
    const counted = await connectCounted(database.url);
    try {
      const { code } = await made();
      const ask = async (entered: string) => {
        let answer: unknown;
        const roundTrips = await counted.roundTripsOf(async () => {
          answer = await enter(entered, playerId, { db: counted.db }).catch((error: AppError) => {
            const { kind, code: errorCode, message, errors } = error;
            return { kind, errorCode, message, errors };
          });
        });
        return { answer, roundTrips };
      };
      // Each statement is prepared once per connection, which takes a round trip more.
      await ask(generateCode());
      const unknown = await ask(generateCode());
      expect(unknown.answer).toMatchObject({ kind: "not_found", errorCode: "code_unknown" });
      expect(await ask(code)).toEqual(unknown);
    } finally {
      await counted.close();
    }
  },
);

test("what was withdrawn from a player they don't get a second time", async () => {
  const { id, code } = await offer();
  await enter(code);
  await database.db
    .update(assignments)
    .set({ status: "revoked", revokedAt: new Date(), revokedBy: newId(), revokeReason: "made by a test" })
    .where(and(eq(assignments.playerId, playerId), eq(assignments.promotionId, id)));
  await expect(enter(code)).rejects.toMatchObject({ kind: "failed_precondition", code: "promotion_revoked" });
  expect(await traces(id)).toEqual([1, 1]);
});

test("what has run out they don't get a second time, whether that is marked or not", async () => {
  const { id, code } = await offer({ claimWithinHours: 1 });
  await enter(code);
  const isThisOne = and(eq(assignments.playerId, playerId), eq(assignments.promotionId, id));
  const assignedAt = new Date(Date.now() - 2 * 3_600_000);
  await database.db.update(assignments).set({ assignedAt }).where(isThisOne);
  const refusal = { kind: "failed_precondition", code: "assignment_expired" };
  await expect(enter(code)).rejects.toMatchObject(refusal);
  await database.db.update(assignments).set({ status: "expired", expiredAt: new Date() }).where(isThisOne);
  await expect(enter(code)).rejects.toMatchObject(refusal);
  expect(await traces(id)).toEqual([1, 1]);
});

test.each(["suspended", "self_excluded"] as const)("who is %s gets nothing", async (status) => {
  const { id, code } = await offer();
  await database.db.update(players).set({ status }).where(eq(players.id, playerId));
  await expect(enter(code)).rejects.toMatchObject({ kind: "permission_denied", code: "player_not_active" });
  expect(await traces(id)).toEqual([0, 0]);
});

test("who registered a moment ago and is not known here yet is told to try again", async () => {
  const { code } = await offer();
  const stranger = newId();
  await expect(enter(code, stranger)).rejects.toMatchObject({
    code: "player_not_active",
    message: expect.stringContaining("try again"),
  });
  await recordPlayerEvents(ctx, [{ event: registered(stranger) }]);
  expect(await enter(code, stranger)).toMatchObject({ replayed: false });
});

test("one that requires it goes to who is verified", async () => {
  const { id, code } = await offer({ requiresVerification: true });
  await expect(enter(code)).rejects.toMatchObject({ kind: "permission_denied", code: "player_not_verified" });
  expect(await traces(id)).toEqual([0, 0]);
  await recordPlayerEvents(ctx, [{ event: verification(playerId, true) }]);
  expect(await enter(code)).toMatchObject({ replayed: false });
});

test("one that is exhausted goes to nobody who does not have it", async () => {
  const { id, code } = await offer({ maxClaims: 1 });
  await enter(code);
  await database.client`update promotion_slots set used = capacity where promotion_id = ${id}`;
  const late = await knownPlayer();
  await expect(enter(code, late)).rejects.toMatchObject({ kind: "failed_precondition", code: "promotion_exhausted" });
  expect(await enter(code)).toMatchObject({ replayed: true, exhausted: true });
  expect(await traces(id)).toEqual([1, 1]);
});

describe("with a bound of open promotions", () => {
  const bounded = { openPromotionsMax: 2 };

  test("who has as many gets no more, and keeps what they have", async () => {
    const [first, second, third] = [await offer(), await offer(), await offer()];
    await enter(first.code, playerId, bounded);
    await enter(second.code, playerId, bounded);
    const refusal = { kind: "failed_precondition", code: "too_many_open_promotions" };
    await expect(enter(third.code, playerId, bounded)).rejects.toMatchObject(refusal);
    expect(await enter(second.code, playerId, bounded)).toMatchObject({ replayed: true });
  });

  test("six codes entered at once, twice each: as many are had as may be", async () => {
    const offers = await Promise.all(Array.from({ length: 6 }, () => offer()));
    const results = await Promise.allSettled([...offers, ...offers].map(({ code }) => enter(code, playerId, bounded)));
    const had = new Set(
      results.flatMap((result) => (result.status === "fulfilled" ? [result.value.promotion.id] : [])),
    );
    expect(had.size).toBe(2);
    const rows = await database.db.select().from(assignments).where(eq(assignments.playerId, playerId));
    expect(new Set(rows.map(({ promotionId }) => promotionId))).toEqual(had);
  });
});

test("only codes that are unknown count as guesses, and after so many of them not even a right one is looked up", async () => {
  const [mine, verifiedOnly] = [await offer(), await offer({ requiresVerification: true })];
  for (let time = 0; time < GUESSES_PER_PLAYER.points; time++) {
    await enter(mine.code);
    await expect(enter(verifiedOnly.code)).rejects.toMatchObject({ code: "player_not_verified" });
  }
  const guess = () => enter(generateCode()).catch(({ code }: AppError) => code);
  const guesses = await Promise.all(Array.from({ length: GUESSES_PER_PLAYER.points + 5 }, guess));
  expect(guesses.filter((code) => code === "code_unknown")).toHaveLength(GUESSES_PER_PLAYER.points);
  const refusal = await enter(mine.code).catch((error: AppError) => error);
  expect(refusal).toMatchObject({ kind: "rate_limited", code: "too_many_attempts" });
  expect((refusal as AppError).retryAfterSeconds).toBeLessThanOrEqual(GUESSES_PER_PLAYER.windowSeconds);
  expect(await enter(mine.code, await knownPlayer())).toMatchObject({ replayed: false });
});
