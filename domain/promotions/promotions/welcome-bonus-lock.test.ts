import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../../tests/support/promotions.ts";
import { until } from "../../../tests/support/until.ts";
import type { PromotionsContext } from "../context.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { createPromotion } from "./create-promotion.ts";
import { updatePromotion } from "./update-promotion.ts";
import { lockWelcomeBonuses } from "./welcome-bonus-lock.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog };
});
afterAll(() => database.drop());
const changedBy = newId();
beforeEach(async () => {
  for (const { id } of await database.db.select().from(promotions)) {
    await updatePromotion(ctx, { id, changedBy, changes: { status: "ended" } });
  }
});

const changes: [string, () => Promise<() => Promise<unknown>>][] = [
  ["the creation of an active bonus", async () => () => createPromotion(ctx, newPromotion({ type: "WELCOME_BONUS" }))],
  [
    "the activation of a bonus",
    async () => {
      const { id } = await createPromotion(ctx, newPromotion({ type: "WELCOME_BONUS", status: "draft" }));
      return () => updatePromotion(ctx, { id, changedBy, changes: { status: "active" } });
    },
  ],
];

const untilSomebodyWaits = () =>
  until("somebody waits for the lock", async () => {
    const [row] = await database.client`
      select count(*)::int as waiting from pg_locks join pg_database on pg_database.oid = database
      where locktype = 'advisory' and not granted and datname = current_database()`;
    return row?.waiting > 0;
  });

test.each(changes)(
  "%s takes its time when nobody reads any more: no registration of then has missed it",
  async (_, prepare) => {
    const change = await prepare();
    const reading = Promise.withResolvers<void>();
    const isRead = Promise.withResolvers<void>();
    const reader = database.db.transaction(async (tx) => {
      await lockWelcomeBonuses(tx, "read");
      reading.resolve();
      await isRead.promise;
    });
    await reading.promise;
    const changed = change();
    await untilSomebodyWaits();
    // A millisecond less, since the change may take its time within the same one.
    const readUntil = new Date(Date.now() - 1);
    isRead.resolve();
    await reader;
    await changed;
    const player = registered(newId(), readUntil);
    await recordPlayerEvents(ctx, [{ event: player }]);
    const given = await database.db.select().from(assignments).where(eq(assignments.playerId, player.subject));
    expect(given).toEqual([]);
  },
);

test("a registration that is handled while a bonus is written waits for it, and gets it", async () => {
  const player = registered();
  const recorded = await database.db.transaction(async (tx) => {
    await lockWelcomeBonuses(tx, "change");
    const work = recordPlayerEvents(ctx, [{ event: registered(player.subject, new Date(Date.now() + 1_000)) }]);
    await untilSomebodyWaits();
    await createPromotion({ ...ctx, db: tx as never }, newPromotion({ type: "WELCOME_BONUS" }));
    return { work };
  });
  expect(await recorded.work).toBe(1);
});

test("registrations don't wait for one another", async () => {
  await database.db.transaction(async (tx) => {
    await lockWelcomeBonuses(tx, "read");
    await recordPlayerEvents(ctx, [{ event: registered() }]);
  });
});
