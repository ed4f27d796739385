import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import { connectBalanceService } from "../../../lib/grpc/client.ts";
import { newId } from "../../../lib/ids.ts";
import { type Account, api, balanceOf, logInAdmin, registerPlayer } from "../../../tests/support/api.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { newPromotion, registered, verification } from "../../../tests/support/promotions.ts";
import { servers } from "../../../tests/support/servers.ts";
import { withUnknownSession } from "../../../tests/support/tokens.ts";
import { assignPromotion } from "../assignments/assign-promotion.ts";
import type { ClaimContext } from "../context.ts";
import { findPlayerPromotions } from "../players/find-player-promotions.ts";
import { recordPlayerEvents } from "../players/record-player-events.ts";
import { createPromotion } from "../promotions/create-promotion.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { claimPromotion } from "./claim-promotion.ts";
import { reconcileClaims } from "./reconcile-claims.ts";

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

const setStatusOf = (player: Account, status: string) =>
  api(`PATCH /users/api/v1/users/${player.id}/status`, { token: adminToken, json: { status, reason: "test" } });

async function rowOf(promotionId: string) {
  const [row] = await database.db.select().from(assignments).where(eq(assignments.promotionId, promotionId));
  return row;
}

/** A context whose process "dies" at a step of the saga: the call goes through, or not, and then nothing more happens. */
const dyingAfter = (step: "claiming" | "credit"): ClaimContext => ({
  ...ctx,
  balance: {
    ...ctx.balance,
    addTransaction: async (request) => {
      if (step === "credit") await ctx.balance.addTransaction(request);
      throw new Error("the process died");
    },
  },
});

const age = (promotionId: string) =>
  database.db
    .update(assignments)
    .set({
      claimingAt: sql`least(${assignments.claimingAt}, now() - interval '1 hour')`,
      attemptedAt: sql`now() - interval '1 hour'`,
    })
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

test("a promotion that is resumed just when it is claimed is claimed", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 250 });
  await updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "paused" } });
  // Resumed right after an UPDATE that found it paused, and so changed nothing.
  await database.client.unsafe(`
    create function resume() returns trigger language plpgsql as $$ begin
      if not exists (select from changed) then
        update promotions set status = 'active' where id = '${promotionId}';
      end if;
      return null;
    end $$;
    create trigger resume after update on assignments referencing new table as changed
      for each statement execute function resume()`);
  try {
    const claimed = await claimPromotion(ctx, { playerId: player.id, promotionId });
    expect(claimed).toMatchObject({ amountMinor: 250, balanceMinor: 250 });
  } finally {
    await database.client.unsafe("drop trigger resume on assignments; drop function resume()");
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
  await setStatusOf(player, "self_excluded");
  const claim = () => claimPromotion(ctx, { playerId: player.id, promotionId });
  await expect(claim()).rejects.toMatchObject({ code: "player_not_active", kind: "permission_denied" });
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimingAt: null });
  await setStatusOf(player, "active");
  expect(await claim()).toMatchObject({ replayed: false });
});

/** An attempt that has begun and whose call to Users is not made before `go()`. */
async function holdAttempt(input: { playerId: string; promotionId: string }) {
  const gate = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const context: ClaimContext = {
    ...ctx,
    balance: {
      ...ctx.balance,
      addTransaction: async (request) => {
        arrived.resolve();
        await gate.promise;
        return ctx.balance.addTransaction(request);
      },
    },
  };
  const ended = claimPromotion(context, input).then(
    ({ transactionId }) => transactionId,
    (error: Error) => error.message,
  );
  await arrived.promise;
  return {
    go: () => {
      gate.resolve();
      return ended;
    },
  };
}
const suspend = (player: Account) => setStatusOf(player, "suspended");

test("an attempt that is refused gives the claim up, and one that was frozen meanwhile never pays for it", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 700 });
  const input = { playerId: player.id, promotionId };
  const frozen = await holdAttempt(input);
  await suspend(player);
  await expect(claimPromotion(ctx, input)).rejects.toMatchObject({ code: "player_not_active" });
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimKey: null, keysVoided: 1 });
  await setStatusOf(player, "active");
  await updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "ended" } });
  expect(await frozen.go()).toContain("ended, not active");
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimKey: null, keysVoided: 1 });
  expect(await balanceOf(await withUnknownSession(player))).toBe(0);
});

test("an attempt whose claim another one gave up begins anew, with a key of its own", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 700 });
  const input = { playerId: player.id, promotionId };
  const frozen = await holdAttempt(input);
  await suspend(player);
  await expect(claimPromotion(ctx, input)).rejects.toMatchObject({ code: "player_not_active" });
  await setStatusOf(player, "active");
  const transactionId = await frozen.go();
  const row = await rowOf(promotionId);
  expect(row).toMatchObject({ status: "claimed", transactionId, claimKey: `${row?.id}:1` });
  expect(await balanceOf(await withUnknownSession(player))).toBe(700);
});

test("when all attempts are refused, the assignment can be claimed again", async () => {
  const { player, promotionId } = await assigned();
  const input = { playerId: player.id, promotionId };
  const attempts = [await holdAttempt(input), await holdAttempt(input)];
  await suspend(player);
  for (const { go } of attempts) expect(await go()).toContain("can't claim");
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimingAt: null, attemptedAt: null });
  await setStatusOf(player, "active");
  expect(await claimPromotion(ctx, input)).toMatchObject({ replayed: false });
});

test("an attempt that was frozen past its takeover, and is credited, is the one payment", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 700 });
  const frozen = await holdAttempt({ playerId: player.id, promotionId });
  await age(promotionId);
  // The reconciler is refused, and dies before it can give the claim up.
  await suspend(player);
  const voidTransaction = () => Promise.reject(new Error("the process died"));
  await reconcile({ ...ctx, balance: { ...ctx.balance, voidTransaction } });
  await setStatusOf(player, "active");
  const transactionId = await frozen.go();
  expect(await rowOf(promotionId)).toMatchObject({ status: "claimed", transactionId });
  expect(await balanceOf(await withUnknownSession(player))).toBe(700);
});

test("a claim whose key was voided by a process that died then is given up by the next one", async () => {
  const { player, promotionId } = await assigned({ amountMinor: 700, maxClaims: 1 });
  const input = { playerId: player.id, promotionId };
  await suspend(player);
  const voidTransaction: ClaimContext["balance"]["voidTransaction"] = async (request) => {
    await ctx.balance.voidTransaction(request);
    throw new Error("the process died");
  };
  await expect(claimPromotion({ ...ctx, balance: { ...ctx.balance, voidTransaction } }, input)).rejects.toThrow("died");
  await setStatusOf(player, "active");
  await age(promotionId);
  expect(await reconcile()).toMatchObject({ taken: 1, refused: 1 });
  expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", keysVoided: 1, slot: null });
  expect(await claimPromotion(ctx, input)).toMatchObject({ balanceMinor: 700, replayed: false });
});

test("a claim keeps the time when it began, however often it is attempted", async () => {
  const { player, promotionId } = await assigned();
  const input = { playerId: player.id, promotionId };
  await expect(claimPromotion(dyingAfter("claiming"), input)).rejects.toThrow("died");
  await age(promotionId);
  const began = (await rowOf(promotionId))?.claimingAt;
  expect(began).toBeInstanceOf(Date);
  await expect(claimPromotion(dyingAfter("claiming"), input)).rejects.toThrow("died");
  expect(await rowOf(promotionId)).toMatchObject({ status: "claiming", claimingAt: began });
  await age(promotionId);
  await reconcile(dyingAfter("claiming"));
  expect(await rowOf(promotionId)).toMatchObject({ status: "claiming", claimingAt: began });
  await age(promotionId);
  expect(await reconcile()).toMatchObject({ finished: 1 });
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

describe.each([
  ["without a cap", {}],
  ["with a cap", { maxClaims: 5 }],
] as const)("a promotion that requires a verification, %s", (_, cap) => {
  const verify = (player: Account, verified: boolean) =>
    recordPlayerEvents(ctx, [{ event: verification(player.id, verified) }]);

  test("is claimed by who is verified, and not by who is not any more", async () => {
    const player = await registerPlayer();
    await recordPlayerEvents(ctx, [{ event: registered(player.id) }]);
    await verify(player, true);
    const { id: promotionId } = await createPromotion(ctx, newPromotion({ ...cap, requiresVerification: true }));
    await assignPromotion(ctx, { promotionId, playerIds: [player.id], assignedBy: newId() });
    const claim = () => claimPromotion(ctx, { playerId: player.id, promotionId });
    await verify(player, false);
    await expect(claim()).rejects.toMatchObject({ kind: "permission_denied", code: "player_not_verified" });
    expect(await rowOf(promotionId)).toMatchObject({ status: "assigned", claimKey: null, slot: null });
    await verify(player, true);
    const claimed = await claim();
    await verify(player, false);
    expect(await claim()).toEqual({ ...claimed, replayed: true });
    expect(await balanceOf(player)).toBe(2000);
  });

  test("is finished for who is not verified any more, once the claim has begun", async () => {
    const player = await registerPlayer();
    await recordPlayerEvents(ctx, [{ event: registered(player.id) }]);
    await verify(player, true);
    const { id: promotionId } = await createPromotion(ctx, newPromotion({ ...cap, requiresVerification: true }));
    await assignPromotion(ctx, { promotionId, playerIds: [player.id], assignedBy: newId() });
    const input = { playerId: player.id, promotionId };
    await expect(claimPromotion(dyingAfter("claiming"), input)).rejects.toThrow("died");
    await verify(player, false);
    expect(await claimPromotion(ctx, input)).toMatchObject({ balanceMinor: 2000, replayed: false });
  });
});
