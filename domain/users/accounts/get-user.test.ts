import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createPlayer, createUsersContext } from "../../../tests/support/users-service.ts";
import { addTransaction } from "../ledger/add-transaction.ts";
import { getUser } from "./get-user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

test("a user is shown with the balance as it is now", async () => {
  const player = await createPlayer(ctx);
  expect(await getUser(ctx, { userId: player.id })).toEqual(player);
  await addTransaction(ctx, {
    idempotencyKey: newId(),
    userId: player.id,
    type: "CREDIT",
    amountMinor: 100,
    currency: "EUR",
    description: "",
    reference: "",
  });
  expect(await getUser(ctx, { userId: player.id })).toEqual({ ...player, balanceMinor: 100 });
});

test("who is unknown is not found", async () => {
  await expect(getUser(ctx, { userId: newId() })).rejects.toMatchObject({ code: "user_not_found" });
});
