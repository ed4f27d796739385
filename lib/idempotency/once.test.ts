import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { players } from "../../drizzle/promotions/schema.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { newId } from "../ids.ts";
import type { Database } from "../postgres.ts";
import { once, onceAsSaga } from "./once.ts";
import { idempotencyKeys } from "./schema.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Database;
let actorId: string;
let effects: string[];
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  db = database.db;
});
afterAll(() => database.drop());
beforeEach(() => {
  actorId = newId();
  effects = [];
});

/** An effect that is in the database, in a transaction of its own kind, as those of the verbs are. */
const work = async (within: Database) => {
  const id = newId();
  effects.push(id);
  await within.transaction((tx) => tx.insert(players).values({ id, statusAt: new Date() }));
  return { id };
};
const ask = (overrides: { actorId?: string; key?: string; hash?: string } = {}, doing = work) =>
  once(db, { actorId, key: "key", hash: "hash", ...overrides }, doing);
const exists = async (id: string) => (await db.select().from(players).where(eq(players.id, id))).length === 1;

test("the same again has the same answer and no effect", async () => {
  const first = await ask();
  expect(first).toEqual({ body: { id: effects[0] }, replayed: false });
  expect(await ask()).toEqual({ ...first, replayed: true });
  expect(effects).toHaveLength(1);
  expect(await exists(first.body.id)).toBe(true);
});

test("another request under the key is refused; another actor's, and another key's, are their own", async () => {
  await ask();
  await expect(ask({ hash: "another" })).rejects.toMatchObject({
    kind: "unprocessable",
    code: "idempotency_key_reused",
  });
  expect(await ask({ actorId: newId() })).toMatchObject({ replayed: false });
  expect(await ask({ key: "another" })).toMatchObject({ replayed: false });
  expect(effects).toHaveLength(3);
});

test("of many at once one has the effect, and none waits for it", async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => ask()));
  const answers = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.body.id] : []));
  const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
  expect(effects).toHaveLength(1);
  expect(new Set(answers)).toEqual(new Set(effects));
  expect(new Set([...refusals, "idempotency_key_in_use"])).toEqual(new Set(["idempotency_key_in_use"]));
});

test("what fails leaves neither an effect nor an answer", async () => {
  const failing = async (within: Database) => {
    await work(within);
    throw new Error("it died");
  };
  await expect(ask({}, failing)).rejects.toThrow("it died");
  expect(await exists(effects[0] ?? "")).toBe(false);
  expect(await ask()).toMatchObject({ replayed: false });
});

test("an answer is forgotten after a day", async () => {
  await ask();
  const age = (hours: number) =>
    db
      .update(idempotencyKeys)
      .set({ createdAt: sql`now() - ${hours} * interval '1 hour'` })
      .where(eq(idempotencyKeys.actorId, actorId));
  await age(23);
  expect(await ask()).toMatchObject({ replayed: true });
  await age(25);
  expect(await ask({ hash: "another" })).toMatchObject({ replayed: false });
});

test("nobody waits for somebody else's request, whatever is to be forgotten", async () => {
  await ask({ actorId: newId() });
  await db.update(idempotencyKeys).set({ createdAt: sql`now() - interval '25 hours'` });
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = ask({}, async (within) => {
    begun.resolve();
    await goOn.promise;
    return work(within);
  });
  await begun.promise;
  expect(await ask({ actorId: newId() })).toMatchObject({ replayed: false });
  goOn.resolve();
  expect(await slow).toMatchObject({ replayed: false });
});

describe("a saga", () => {
  const askSaga = (doing: () => Promise<unknown>, overrides: { hash?: string } = {}) =>
    onceAsSaga(db, { actorId, key: "key", hash: "hash", ...overrides }, doing);
  const effect = async () => {
    effects.push("effect");
    return { id: effects.length };
  };

  test("has the same answer again, and another request under its key is refused before anything is done", async () => {
    expect(await askSaga(effect)).toEqual({ body: { id: 1 }, replayed: false });
    expect(await askSaga(effect)).toEqual({ body: { id: 1 }, replayed: true });
    await expect(askSaga(effect, { hash: "another" })).rejects.toMatchObject({ code: "idempotency_key_reused" });
    expect(effects).toHaveLength(1);
  });

  test("that is under way is not begun again, nor waited for", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const first = askSaga(async () => {
      begun.resolve();
      await gate.promise;
      return effect();
    });
    await begun.promise;
    await expect(askSaga(effect)).rejects.toMatchObject({ code: "idempotency_key_in_use" });
    gate.resolve();
    expect(await first).toMatchObject({ replayed: false });
    expect(effects).toHaveLength(1);
  });

  test("that failed may be repeated at once, and one that died after a while", async () => {
    await expect(askSaga(() => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
    expect(await askSaga(effect)).toMatchObject({ replayed: false });
    const died = sql`now() - interval '21 seconds'`;
    await db.update(idempotencyKeys).set({ body: "null", createdAt: died }).where(eq(idempotencyKeys.actorId, actorId));
    expect(await askSaga(effect)).toEqual({ body: { id: 2 }, replayed: false });
    expect(await askSaga(effect)).toEqual({ body: { id: 2 }, replayed: true });
  });
});
