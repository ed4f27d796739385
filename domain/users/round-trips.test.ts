import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { connectCounted } from "../../tests/support/round-trips.ts";
import { createPlayer, createUsersContext } from "../../tests/support/users-service.ts";
import { getUser } from "./accounts/get-user.ts";
import type { User } from "./accounts/user.ts";
import { addTransaction } from "./ledger/add-transaction.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let counted: Awaited<ReturnType<typeof connectCounted>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  counted = await connectCounted(ctx.databaseUrl);
  player = await createPlayer(ctx);
});
afterAll(async () => {
  await counted.close();
  await ctx.stop();
});

const credit = (idempotencyKey = newId()) =>
  addTransaction(
    { db: counted.db, currency: "EUR" },
    {
      idempotencyKey,
      userId: player.id,
      type: "CREDIT",
      amountMinor: 100,
      currency: "EUR",
      description: "a test",
      reference: "",
    },
  );
const read = () => getUser({ db: counted.db, currency: "EUR" }, { userId: player.id });

test("a credit takes one round trip to the database, and so does its repetition", async () => {
  await credit();
  const key = newId();
  expect(await counted.roundTripsOf(() => credit(key))).toBe(1);
  expect(await counted.roundTripsOf(() => credit(key))).toBe(1);
});

test("a profile takes one", async () => {
  await read();
  expect(await counted.roundTripsOf(read)).toBe(1);
});
