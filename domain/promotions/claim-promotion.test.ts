import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignments } from "../../drizzle/promotions/schema.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { newId } from "../../lib/ids.ts";
import { type Account, api, balanceOf, logInAdmin, registerPlayer } from "../../tests/support/api.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { silentLog } from "../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../tests/support/promotions.ts";
import { servers } from "../../tests/support/servers.ts";
import { assignPromotion } from "./assign-promotion.ts";
import { claimPromotion } from "./claim-promotion.ts";
import type { ClaimContext } from "./context.ts";
import { createPromotion } from "./create-promotion.ts";
import { findPlayerPromotions } from "./find-player-promotions.ts";
import { reconcileClaims } from "./reconcile-claims.ts";
import { recordPlayerEvents } from "./record-player-events.ts";
import { updatePromotion } from "./update-promotion.ts";

/** A database of our own; the players and their balances are in the real Users service. */
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let balance: ReturnType<typeof connectBalanceService>;
let ctx: ClaimContext;
let adminToken: string;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  balance = connectBalanceService(servers.usersGrpcTarget, servers.serviceToken);
  ctx = { db: database.db, currency: "EUR", balance: balance.client, log: silentLog };
  adminToken = await logInAdmin();
});
afterAll(async () => {
  balance.close();
  await database.drop();
});

async function assigned(
  overrides: Parameters<typeof newPromotion>[0] = {},
): Promise<{ player: Account; promotionId: string }> {
  const player = await registerPlayer();
  await recordPlayerEvents(ctx, [{ event: registered(player.id) }]);
  const { id } = await createPromotion(ctx, newPromotion(overrides));
  await assignPromotion(ctx, { promotionId: id, playerIds: [player.id], assignedBy: newId() });
  return { player, promotionId: id };
}

async function rowOf(promotionId: string) {
  const [row] = await database.db.select().from(assignments).where(eq(assignments.promotionId, promotionId));
  return row;
}

/** A context whose process "dies" at a step of the saga: the call goes through, or not, and then nothing more happens. */
const dyingAfter = (step: "claiming" | "credit"): ClaimContext => ({
  ...ctx,
  balance: {
    addTransaction: async (request) => {
      if (step === "credit") await ctx.balance.addTransaction(request);
      throw new Error("the process died");
    },
  },
});

const age = (promotionId: string) =>
  database.db
    .update(assignments)
    .set({ claimingAt: sql`now() - interval '1 hour'` })
    .where(eq(assignments.promotionId, promotionId));
const reconcile = (context = ctx) => reconcileClaims(context, { staleAfterMs: 60_000, batchMax: 100 });

test.each(["claiming", "credit"] as const)(
  "a crash after `%s` is finished by the reconciler: paid once",
  async (step) => {
    const { player, promotionId } = await assigned({ amountMinor: 400 });
    await expect(claimPromotion(dyingAfter(step), { playerId: player.id, promotionId })).rejects.toThrow("died");
    expect(await rowOf(promotionId)).toMatchObject({ status: "claiming", transactionId: null });
    expect(await reconcile()).toMatchObject({ finished: 0 }); // too young: it may still be alive
    await age(promotionId);
    const outcomes = await Promise.all([reconcile(), reconcile(), reconcile()]);
    expect(outcomes.reduce((sum, { finished }) => sum + finished, 0)).toBe(1);
    expect(await rowOf(promotionId)).toMatchObject({ status: "claimed", balanceMinor: 400 });
    expect(await balanceOf(player)).toBe(400);
  },
);

test.each(["claiming", "credit"] as const)(
  "a crash after `%s` is finished by the player's retry: paid once",
  async (step) => {
    const { player, promotionId } = await assigned({ amountMinor: 400 });
    const input = { playerId: player.id, promotionId };
    await expect(claimPromotion(dyingAfter(step), input)).rejects.toThrow("died");
    const retried = await claimPromotion(ctx, input);
    expect(retried).toMatchObject({ amountMinor: 400, balanceMinor: 400 });
    expect(await claimPromotion(ctx, input)).toEqual({ ...retried, replayed: true });
    expect(await balanceOf(player)).toBe(400);
  },
);

test("a claim that began in time is finished although the promotion has ended since", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 150 });
  await expect(claimPromotion(dyingAfter("claiming"), { playerId: player.id, promotionId })).rejects.toThrow("died");
  await updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "ended" } });
  await age(promotionId);
  expect(await reconcile()).toMatchObject({ finished: 1 });
  expect(await balanceOf(player)).toBe(150);
});

test("a claim that begins just when another attempt is refused begins anew", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 250 });
  const input = { playerId: player.id, promotionId };
  await expect(claimPromotion(dyingAfter("claiming"), input)).rejects.toThrow("died");
  // The other attempt gives the assignment back right after an UPDATE that found it `claiming` and so changed nothing.
  await database.client.unsafe(`
    create function give_back() returns trigger language plpgsql as $$ begin
      if not exists (select from changed) then
        update assignments set status = 'assigned', claiming_at = null where status = 'claiming';
      end if;
      return null;
    end $$;
    create trigger give_back after update on assignments referencing new table as changed
      for each statement when (pg_trigger_depth() = 0) execute function give_back()`);
  try {
    expect(await claimPromotion(ctx, input)).toMatchObject({ amountMinor: 250, balanceMinor: 250 });
  } finally {
    await database.client.unsafe("drop trigger give_back on assignments; drop function give_back()");
  }
});

test("only what is active now can be claimed, and only by whom it was assigned to", async () => {
  const { player, promotionId } = await assigned();
  await updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "paused" } });
  const claim = () => claimPromotion(ctx, { playerId: player.id, promotionId });
  await expect(claim()).rejects.toMatchObject({ code: "promotion_not_active" });
  await updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "ended" } });
  await expect(claim()).rejects.toMatchObject({ code: "promotion_not_active" });
  const { data } = await findPlayerPromotions(ctx, { playerId: player.id, limit: 10 });
  expect(data.map(({ status }) => status)).toEqual(["expired"]);
  await expect(claimPromotion(ctx, { playerId: newId(), promotionId })).rejects.toMatchObject({
    code: "promotion_not_assigned",
    kind: "not_found",
  });
  expect(await balanceOf(player)).toBe(0);
});

test("a suspended player's claim is refused and stays claimable", async () => {
  const { player, promotionId } = await assigned();
  const setStatus = (status: string) =>
    api(`PATCH /users/api/v1/users/${player.id}/status`, { token: adminToken, json: { status, reason: "test" } });
  await setStatus("self_excluded");
  const claim = () => claimPromotion(ctx, { playerId: player.id, promotionId });
  await expect(claim()).rejects.toMatchObject({ code: "player_not_active", kind: "permission_denied" });
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimingAt: null });
  await setStatus("active");
  expect(await claim()).toMatchObject({ replayed: false });
});

test("Users can't be reached: the claim says so, stays finishable, and is finished later", async () => {
  const { player, promotionId } = await assigned();
  const nowhere = connectBalanceService("ipv4:127.0.0.1:1", servers.serviceToken);
  const input = { playerId: player.id, promotionId };
  await expect(claimPromotion({ ...ctx, balance: nowhere.client }, input)).rejects.toMatchObject({
    code: "balance_unavailable",
    retryAfterSeconds: expect.any(Number),
  });
  await age(promotionId);
  expect(await reconcile({ ...ctx, balance: nowhere.client })).toEqual({
    taken: 1,
    finished: 0,
    refused: 0,
    failed: 1,
  });
  nowhere.close();
  expect(await claimPromotion(ctx, input)).toMatchObject({ replayed: false });
});

test("50 claims at once on a pool of ten connections do not wait for each other for ever", async () => {
  const claims = await Promise.all(Array.from({ length: 50 }, () => assigned({ amountMinor: 10 })));
  const results = await Promise.all(
    claims.map(({ player, promotionId }) => claimPromotion(ctx, { playerId: player.id, promotionId })),
  );
  expect(results.every(({ balanceMinor }) => balanceMinor === 10)).toBe(true);
});
