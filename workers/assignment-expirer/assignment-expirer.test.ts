import { afterAll, beforeAll, expect, test } from "vitest";
import { createPromotion } from "../../domain/promotions/promotions/create-promotion.ts";
import { assignments } from "../../drizzle/promotions/schema.ts";
import { newId } from "../../lib/ids.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { silentLog } from "../../tests/support/kafka.ts";
import { newPromotion } from "../../tests/support/promotions.ts";
import { until } from "../../tests/support/until.ts";
import { runAssignmentExpirer } from "./assignment-expirer.ts";

/** More than two batches. */
const DUE = 1_200;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
});
afterAll(() => database.drop());

test("the expirer adds a batch at a time, and none while the outbox is not emptied or the notifier is behind", async () => {
  const { db, client } = database;
  const { id } = await createPromotion({ db, currency: "EUR", log: silentLog }, newPromotion());
  await db.insert(assignments).values(Array.from({ length: DUE }, () => ({ playerId: newId(), promotionId: id })));
  await client`update promotions set status = 'ended', updated_at = now() where id = ${id}`;
  let lag = 1_001;
  let looks = 0;
  const readLag = async () => {
    looks += 1;
    return lag;
  };
  const looksMore = (times: number) => {
    const before = looks;
    return until(`it has looked ${times} times more`, () => looks - before >= times);
  };
  const marked = async () => {
    const [row] = await client`select count(*)::int as count from assignments where status = 'expired'`;
    return row?.count;
  };
  const publish = () => client`delete from outbox`;
  const expirer = runAssignmentExpirer({ db, log: silentLog }, readLag, { noticeHours: 24, intervalMs: 50 });
  try {
    await looksMore(5);
    expect(await marked()).toBe(0);
    lag = 1_000;
    await until("the first batch is there", async () => (await marked()) === 500);
    await looksMore(3);
    expect(await marked()).toBe(500);
    await publish();
    await until("the second batch is there", async () => (await marked()) === 1_000);
    await looksMore(3);
    expect(await marked()).toBe(1_000);
    await publish();
    await until("all are marked", async () => (await marked()) === DUE);
    expirer.checkLoop();
  } finally {
    await expirer.stop();
  }
});
