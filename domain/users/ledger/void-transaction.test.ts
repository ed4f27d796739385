import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createPlayer, createUsersContext } from "../../../tests/support/users-service.ts";
import { findUser, type User } from "../accounts/user.ts";
import { type AddTransactionInput, addTransaction } from "./add-transaction.ts";
import { voidTransaction } from "./void-transaction.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const credit = (overrides: Partial<AddTransactionInput> = {}): AddTransactionInput => ({
  idempotencyKey: newId(),
  userId: player.id,
  type: "CREDIT",
  amountMinor: 100,
  currency: "EUR",
  description: "made by a test",
  reference: "test",
  ...overrides,
});
const reversalOf = (request: AddTransactionInput, overrides: Partial<AddTransactionInput> = {}) =>
  credit({ type: "DEBIT", reverses: request.idempotencyKey, ...overrides });
const balance = async () => (await findUser(ctx.db, player.id))?.balanceMinor;

test("nothing is written under a voided key any more, however often it is tried or voided", async () => {
  const request = credit();
  expect(await voidTransaction(ctx, request)).toBeUndefined();
  expect(await voidTransaction(ctx, request)).toBeUndefined();
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => addTransaction(ctx, request)));
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
    Array(5).fill("transaction_voided"),
  );
  expect(await balance()).toBe(0);
});

test("what was written can't be voided, and is told", async () => {
  const request = credit();
  const { transactionId } = await addTransaction(ctx, request);
  expect(await voidTransaction(ctx, request)).toEqual({ transactionId, balanceMinor: 100, replayed: true });
  expect(await addTransaction(ctx, request)).toMatchObject({ transactionId, replayed: true });
});

test("a key that is written and voided at once is one of the two, never both and never neither", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 60; round++) {
    const request = credit({ amountMinor: 1 });
    const before = (await balance()) ?? 0;
    const calls = [() => addTransaction(ctx, request), () => voidTransaction(ctx, request)];
    if (round % 2 === 1) calls.reverse();
    const outcomes = await Promise.allSettled(calls.map((call) => call()));
    if (round % 2 === 1) outcomes.reverse();
    const [added, voided] = outcomes;
    const isWritten = added?.status === "fulfilled";
    if (!isWritten) expect(added).toMatchObject({ reason: { code: "transaction_voided" } });
    expect(voided).toMatchObject({ status: "fulfilled" });
    expect(voided?.status === "fulfilled" && voided.value !== undefined).toBe(isWritten);
    expect(await balance()).toBe(before + (isWritten ? 1 : 0));
    seen.add(isWritten ? "written" : "voided");
  }
  expect([...seen].sort()).toEqual(["voided", "written"]);
});

test("a writer who waits for the player's row while the key is voided writes nothing", async () => {
  const request = credit();
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const holder = ctx.db.transaction(async (tx) => {
    await tx.update(users).set({ updatedAt: new Date() });
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const added = addTransaction(ctx, request).catch((error: unknown) => error);
  expect(await voidTransaction(ctx, request)).toBeUndefined();
  release.resolve();
  await holder;
  expect(await added).toMatchObject({ code: "transaction_voided" });
  expect(await balance()).toBe(0);
});

test("a credit is taken back once, whoever tries and with whatever keys", async () => {
  const request = credit();
  await addTransaction(ctx, request);
  await addTransaction(ctx, credit({ amountMinor: 1_000 }));
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => addTransaction(ctx, reversalOf(request))));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const refusals = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
  expect(refusals).toEqual(Array(9).fill("credit_reversed"));
  expect(await balance()).toBe(1_000);
});

test("a credit is taken back from a player who was suspended, and the same again is the same", async () => {
  const request = credit();
  await addTransaction(ctx, request);
  await ctx.db.update(users).set({ status: "suspended" });
  const reversal = reversalOf(request);
  const first = await addTransaction(ctx, reversal);
  expect(first).toMatchObject({ balanceMinor: 0, replayed: false });
  expect(await addTransaction(ctx, reversal)).toEqual({ ...first, replayed: true });
  await expect(addTransaction(ctx, credit({ type: "DEBIT" }))).rejects.toMatchObject({ code: "player_not_active" });
});

test("nothing is taken back but a credit of this player and amount that there is in the balance", async () => {
  const request = credit();
  const debit = credit({ type: "DEBIT", amountMinor: 30 });
  await addTransaction(ctx, request);
  await addTransaction(ctx, debit);
  const other = await createPlayer(ctx);
  const refused: [object, string][] = [
    [reversalOf(request, { amountMinor: 99 }), "credit_not_found"],
    [reversalOf(request, { userId: other.id }), "credit_not_found"],
    [reversalOf(credit()), "credit_not_found"],
    [reversalOf(debit, { amountMinor: 30 }), "credit_not_found"],
    [reversalOf(request), "insufficient_balance"],
  ];
  for (const [reversal, code] of refused) {
    await expect(addTransaction(ctx, reversal as AddTransactionInput)).rejects.toMatchObject({ code });
  }
  expect(await balance()).toBe(70);
});

test("the content of a key holds what it takes back too", async () => {
  const request = credit();
  const another = credit();
  await addTransaction(ctx, request);
  await addTransaction(ctx, another);
  const reversal = reversalOf(request);
  await addTransaction(ctx, reversal);
  await expect(addTransaction(ctx, { ...reversal, reverses: another.idempotencyKey })).rejects.toMatchObject({
    code: "idempotency_key_reused",
  });
});
