import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { transactions, users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createPlayer, createStaff, createUsersContext } from "../../../tests/support/users-service.ts";
import { findUser, type User } from "../accounts/user.ts";
import { type AddTransactionInput, addTransaction } from "./add-transaction.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const input = (overrides: Partial<AddTransactionInput> = {}): AddTransactionInput => ({
  idempotencyKey: newId(),
  userId: player.id,
  type: "CREDIT",
  amountMinor: 100,
  currency: "EUR",
  description: "made by a test",
  reference: "test",
  ...overrides,
});
const add = (overrides: Partial<AddTransactionInput> = {}) => addTransaction(ctx, input(overrides));
const ledger = () =>
  ctx.db.select().from(transactions).where(eq(transactions.userId, player.id)).orderBy(transactions.id);
const balance = async () => (await findUser(ctx.db, player.id))?.balanceMinor;
const setStatus = (status: User["status"]) => ctx.db.update(users).set({ status }).where(eq(users.id, player.id));

test("20 calls with one key at once write one row and get one answer", async () => {
  const request = input({ amountMinor: 2_000 });
  const results = await Promise.all(Array.from({ length: 20 }, () => addTransaction(ctx, request)));
  expect(new Set(results.map(({ transactionId }) => transactionId)).size).toBe(1);
  expect(results.map(({ balanceMinor }) => balanceMinor)).toEqual(Array(20).fill(2_000));
  expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(await ledger()).toHaveLength(1);
  expect(await balance()).toBe(2_000);
});

test("for a caller who has given up nothing is written, and what was written is still told", async () => {
  const request = input();
  const gaveUp = AbortSignal.abort();
  await expect(addTransaction(ctx, request, gaveUp)).rejects.toMatchObject({ name: "AbortError" });
  expect(await ledger()).toHaveLength(0);
  const first = await addTransaction(ctx, request);
  expect(await addTransaction(ctx, request, gaveUp)).toEqual({ ...first, replayed: true });
});

test("debits at once never take more than there is", async () => {
  await add({ amountMinor: 500 });
  const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => add({ type: "DEBIT", amountMinor: 100 })));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  const refusals = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
  expect(refusals).toEqual(Array(7).fill("insufficient_balance"));
  expect(await balance()).toBe(0);
});

test("a debit that takes the last of the balance is replayed to the calls that lost the race", async () => {
  await add({ amountMinor: 100 });
  const request = input({ type: "DEBIT", amountMinor: 100 });
  const results = await Promise.all(Array.from({ length: 10 }, () => addTransaction(ctx, request)));
  expect(new Set(results.map(({ transactionId }) => transactionId)).size).toBe(1);
  expect(await balance()).toBe(0);
});

test("the ledger in the order of ids is the history of the balance, whatever ran at once", async () => {
  await Promise.all(Array.from({ length: 30 }, (_, n) => add({ amountMinor: n + 1 })));
  const rows = await ledger();
  let sumMinor = 0;
  for (const row of rows) {
    sumMinor += row.amountMinor;
    expect(row.balanceAfterMinor).toBe(sumMinor);
  }
  expect(rows).toHaveLength(30);
  expect(await balance()).toBe(sumMinor);
});

test("the first result comes again for a player who was suspended since", async () => {
  const request = input();
  const first = await addTransaction(ctx, request);
  await add({ amountMinor: 1 });
  await setStatus("suspended");
  expect(await addTransaction(ctx, request)).toEqual({ ...first, replayed: true });
});

test.each([
  { amountMinor: 101 },
  { type: "DEBIT" as const },
  { currency: "USD" },
  { description: "other" },
  { reference: "other" },
  { userId: newId() },
])("a key that was used is refused with other content: %o", async (change) => {
  const request = input();
  await addTransaction(ctx, request);
  await expect(addTransaction(ctx, { ...request, ...change })).rejects.toMatchObject({
    kind: "already_exists",
    code: "idempotency_key_reused",
  });
  expect(await balance()).toBe(100);
});

test("two players who race for one key: one gets it, the other's balance stays", async () => {
  const other = await createPlayer(ctx);
  for (let round = 0; round < 10; round++) {
    const idempotencyKey = newId();
    const outcomes = await Promise.allSettled(
      [player.id, other.id].map((userId) => add({ idempotencyKey, userId, amountMinor: 1 })),
    );
    const refusals = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
    expect(refusals).toEqual(["idempotency_key_reused"]);
  }
  const balances = await Promise.all([player.id, other.id].map((id) => findUser(ctx.db, id)));
  expect(balances.reduce((sum, user) => sum + (user?.balanceMinor ?? 0), 0)).toBe(10);
});

test.each(["suspended", "self_excluded"] as const)("a player who is %s gets and pays nothing", async (status) => {
  await add();
  await setStatus(status);
  for (const type of ["CREDIT", "DEBIT"] as const) {
    await expect(add({ type })).rejects.toMatchObject({ kind: "failed_precondition", code: "player_not_active" });
  }
  expect(await balance()).toBe(100);
});

test("who is no player has no balance", async () => {
  const staff = await createStaff(ctx);
  for (const userId of [newId(), staff.id]) {
    await expect(add({ userId })).rejects.toMatchObject({ kind: "not_found", code: "player_not_found" });
  }
});

test("another currency, a debit below zero and a balance beyond 2^53 - 1 are refused and change nothing", async () => {
  await expect(add({ currency: "USD" })).rejects.toMatchObject({ code: "currency_mismatch" });
  await expect(add({ type: "DEBIT", amountMinor: 1 })).rejects.toMatchObject({ code: "insufficient_balance" });
  await add({ amountMinor: Number.MAX_SAFE_INTEGER });
  await expect(add({ amountMinor: 1 })).rejects.toMatchObject({ code: "balance_limit" });
  expect(await balance()).toBe(Number.MAX_SAFE_INTEGER);
});

test("a row of the ledger can be neither changed nor deleted", async () => {
  await add();
  const change = ctx.db.update(transactions).set({ amountMinor: 1 }).where(eq(transactions.userId, player.id));
  await expect(change).rejects.toMatchObject({ cause: { message: expect.stringContaining("append-only") } });
  const deletion = ctx.db.delete(transactions).where(eq(transactions.userId, player.id));
  await expect(deletion).rejects.toMatchObject({ cause: { message: expect.stringContaining("append-only") } });
  expect(await ledger()).toHaveLength(1);
});
