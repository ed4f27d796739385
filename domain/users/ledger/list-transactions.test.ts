import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createPlayer, createUsersContext } from "../../../tests/support/users-service.ts";
import { addTransaction } from "./add-transaction.ts";
import { listTransactions } from "./list-transactions.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

test("a player's pages hold their own transactions only, newest first, each once", async () => {
  const [player, other] = [await createPlayer(ctx), await createPlayer(ctx)];
  for (const [n, { id: userId }] of [player, other, player, player].entries()) {
    const fields = { type: "CREDIT", currency: "EUR", description: `number ${n}`, reference: "" } as const;
    await addTransaction(ctx, { ...fields, idempotencyKey: newId(), userId, amountMinor: 10 + n });
  }
  const first = await listTransactions(ctx, { userId: player.id, limit: 2 });
  expect(first.data).toMatchObject([
    { type: "CREDIT", amountMinor: 13, balanceAfterMinor: 35, currency: "EUR", description: "number 3" },
    { amountMinor: 12, balanceAfterMinor: 22 },
  ]);
  const second = await listTransactions(ctx, { userId: player.id, limit: 2, cursor: first.nextCursor ?? "" });
  expect(second).toMatchObject({ data: [{ amountMinor: 10, balanceAfterMinor: 10 }], nextCursor: null });
});

test("who has no transactions has an empty list, who is unknown has none", async () => {
  const { id: userId } = await createPlayer(ctx);
  expect(await listTransactions(ctx, { userId, limit: 20 })).toEqual({ data: [], nextCursor: null });
  await expect(listTransactions(ctx, { userId: newId(), limit: 20 })).rejects.toMatchObject({ code: "user_not_found" });
});

test("a cursor that no list returned is refused", async () => {
  const { id: userId } = await createPlayer(ctx);
  for (const cursor of ["x", Buffer.from('["not-an-id"]').toString("base64url")]) {
    await expect(listTransactions(ctx, { userId, limit: 20, cursor })).rejects.toMatchObject({
      code: "invalid_cursor",
    });
  }
});
