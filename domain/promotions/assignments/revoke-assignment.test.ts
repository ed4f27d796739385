import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignments, promotionSlots } from "../../../drizzle/promotions/schema.ts";
import { transactions, users } from "../../../drizzle/users/schema.ts";
import { auditDetails, auditEntries } from "../../../lib/audit/schema.ts";
import { connectBalanceService } from "../../../lib/grpc/client.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { TransactionType } from "../../../proto/generated/casino/balance/v1/balance.ts";
import { type ClaimSystem, createClaimSystem, offerPromotion } from "../../../tests/support/claims.ts";
import { claimPromotion } from "../claims/claim-promotion.ts";
import type { ClaimContext } from "../context.ts";
import { findPlayerPromotions } from "../players/find-player-promotions.ts";
import { updatePromotion } from "../promotions/update-promotion.ts";
import { reconcileRevocations } from "./reconcile-revocations.ts";
import { revokeAssignment } from "./revoke-assignment.ts";

let system: ClaimSystem;
let ctx: ClaimSystem["ctx"];
beforeAll(async () => {
  system = await createClaimSystem();
  ctx = system.ctx;
});
afterAll(() => system.drop());

/** A player who has a promotion of 7 EUR, whose cap is one claim. */
async function assigned() {
  const { promotion, playerIds } = await offerPromotion(system, 1, { amountMinor: 700, maxClaims: 1 });
  const [playerId] = playerIds as [string];
  const promotionId = promotion.id;
  const staffId = newId();
  const isOurs = eq(assignments.promotionId, promotionId);
  return {
    playerId,
    promotionId,
    staffId,
    claim: (context = ctx) => claimPromotion(context, { playerId, promotionId }),
    revoke: (context = ctx, reason = "Assigned by mistake.") =>
      revokeAssignment(context, { playerId, promotionId, revokedBy: staffId, reason, requestId: "request" }),
    setStatus: (status: "active" | "suspended") =>
      system.users.db.update(users).set({ status }).where(eq(users.id, playerId)),
    end: () => updatePromotion(ctx, { id: promotionId, changedBy: newId(), changes: { status: "ended" } }),
    row: async () => (await system.promotions.db.select().from(assignments).where(isOurs))[0],
    age: () =>
      system.promotions.db.update(assignments).set({ attemptedAt: sql`now() - interval '1 hour'` }).where(isOurs),
    async state() {
      const [user] = await system.users.db.select().from(users).where(eq(users.id, playerId));
      const ledger = await system.users.db.select().from(transactions).where(eq(transactions.userId, playerId));
      const slots = await system.promotions.db
        .select()
        .from(promotionSlots)
        .where(eq(promotionSlots.promotionId, promotionId));
      const [row] = await system.promotions.db.select().from(assignments).where(isOurs);
      return {
        status: row?.status,
        balanceMinor: user?.balanceMinor,
        transactions: ledger.length,
        used: slots.reduce((sum, { used }) => sum + used, 0),
      };
    },
    /** What the player is told about it but of its assignment, and what the audit says. */
    async told() {
      const events = await system.promotions.db
        .select({ event: outbox.event })
        .from(outbox)
        .where(eq(outbox.key, playerId));
      const entries = await system.promotions.db
        .select()
        .from(auditEntries)
        .leftJoin(auditDetails, eq(auditDetails.entryId, auditEntries.id))
        .where(eq(auditEntries.actorId, staffId));
      return {
        events: events.map(({ event }) => event as { type: string }).filter(({ type }) => type !== "PROMOTION"),
        audit: entries.map(({ audit_entries: { action, after }, audit_details }) => ({
          action,
          after,
          reason: audit_details?.reason,
        })),
      };
    },
  };
}
type Assigned = Awaited<ReturnType<typeof assigned>>;

/** Gives the player other money, or takes money from them. */
async function change({ playerId }: Assigned, amountMinor: number) {
  await ctx.balance.addTransaction({
    idempotencyKey: newId(),
    userId: playerId,
    type: amountMinor > 0 ? TransactionType.TRANSACTION_TYPE_CREDIT : TransactionType.TRANSACTION_TYPE_DEBIT,
    amountMinor: Math.abs(amountMinor),
    currency: "EUR",
    description: "by a test",
    reference: "test",
  });
}

/** A context whose process "dies" after the call to Users has had its effect, or before it was made. */
const dyingAt = (step: "before debit" | "after debit" | "before void" | "after void"): ClaimContext => ({
  ...ctx,
  balance: {
    async addTransaction(request) {
      if (step === "before debit") throw new Error("the process died");
      const answer = await ctx.balance.addTransaction(request);
      if (step === "after debit") throw new Error("the process died");
      return answer;
    },
    async voidTransaction(request) {
      if (step === "before void") throw new Error("the process died");
      await ctx.balance.voidTransaction(request);
      throw new Error("the process died");
    },
  },
});
const reconcile = (context = ctx) => reconcileRevocations(context, { staleAfterMs: 60_000, batchMax: 20 });

test("one that is open is gone at once, its player and the audit are told once, and it can't be claimed", async () => {
  const one = await assigned();
  expect(await one.revoke()).toBeNull();
  expect(await one.revoke(ctx, "Another reason.")).toBeNull();
  expect(await one.state()).toEqual({ status: "revoked", balanceMinor: 0, transactions: 0, used: 0 });
  await expect(one.claim()).rejects.toMatchObject({ code: "promotion_revoked" });
  const { events, audit } = await one.told();
  expect(events).toEqual([
    expect.objectContaining({
      type: "PROMOTION_REVOKED",
      data: expect.objectContaining({ promotionId: one.promotionId, reason: "Assigned by mistake." }),
    }),
  ]);
  expect(audit).toEqual([
    {
      action: "revokeAssignment",
      after: expect.objectContaining({ status: "revoked", playerId: one.playerId, reversedMinor: 0 }),
      reason: "Assigned by mistake.",
    },
  ]);
  const { data } = await findPlayerPromotions(ctx, { playerId: one.playerId, limit: 10 });
  expect(data).toMatchObject([{ status: "revoked" }]);
});

test("what was claimed is taken back once, also of a suspended player, and gives its part of the cap back", async () => {
  const one = await assigned();
  await one.claim();
  await change(one, 50);
  await one.setStatus("suspended");
  const reversals = await Promise.all(Array.from({ length: 8 }, () => one.revoke()));
  expect(new Set(reversals.map((reversal) => reversal?.transactionId)).size).toBe(1);
  expect(reversals[0]).toMatchObject({ amountMinor: 700, balanceMinor: 50 });
  expect(await one.revoke()).toEqual(reversals[0]);
  expect(await one.state()).toEqual({ status: "revoked", balanceMinor: 50, transactions: 3, used: 0 });
  const { events, audit } = await one.told();
  expect([events.length, audit.length]).toEqual([1, 1]);
  await expect(one.claim()).rejects.toMatchObject({ code: "promotion_revoked" });
});

test("a balance that is too low changes nothing, and once there is enough the same request takes it back", async () => {
  const one = await assigned();
  const claimed = await one.claim();
  await change(one, -1);
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => one.revoke()));
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
    Array(6).fill("balance_too_low"),
  );
  expect(await one.state()).toEqual({ status: "claimed", balanceMinor: 699, transactions: 2, used: 1 });
  expect(await one.row()).toMatchObject({ revokedBy: null, revokeReason: null, revokingAt: null });
  expect(await one.told()).toEqual({ events: [], audit: [] });
  expect(await one.claim()).toEqual({ ...claimed, replayed: true });
  await change(one, 1);
  expect(await one.revoke()).toMatchObject({ amountMinor: 700, balanceMinor: 0 });
});

test.each(["before debit", "after debit"] as const)(
  "a crash %s is finished by the reconciler: taken back once",
  async (step) => {
    const one = await assigned();
    await one.claim();
    await expect(one.revoke(dyingAt(step))).rejects.toThrow("died");
    expect(await one.row()).toMatchObject({ status: "revoking", revokeReason: "Assigned by mistake." });
    await expect(one.claim()).rejects.toMatchObject({ code: "promotion_revoked" });
    expect(await reconcile()).toMatchObject({ taken: 0 }); // too young
    await one.age();
    const outcomes = await Promise.all([reconcile(), reconcile(), reconcile()]);
    expect(outcomes.reduce((sum, { finished }) => sum + finished, 0)).toBe(1);
    expect(await one.state()).toEqual({ status: "revoked", balanceMinor: 0, transactions: 2, used: 0 });
    const { events, audit } = await one.told();
    expect([events.length, audit.length]).toEqual([1, 1]);
    expect(await one.revoke()).toMatchObject({ amountMinor: 700 });
  },
);

test.each(["before void", "after void"] as const)(
  "a crash %s of a debit that was refused is undone by the reconciler",
  async (step) => {
    const one = await assigned();
    await one.claim();
    await change(one, -700);
    await expect(one.revoke(dyingAt(step))).rejects.toThrow("died");
    await change(one, 700);
    await one.age();
    // Whether the key was voided decides whether it is still taken back: all of it, or nothing.
    expect(await reconcile()).toMatchObject(step === "before void" ? { finished: 1 } : { refused: 1 });
    expect(await one.state()).toMatchObject(
      step === "before void" ? { status: "revoked", balanceMinor: 0 } : { status: "claimed", balanceMinor: 700 },
    );
  },
);

test("Users can't be reached: the request says so, and it is taken back later", async () => {
  const one = await assigned();
  await one.claim();
  const nowhere = connectBalanceService("ipv4:127.0.0.1:1", "a-service-token-of-32-characters-");
  await expect(one.revoke({ ...ctx, balance: nowhere.client })).rejects.toMatchObject({ code: "balance_unavailable" });
  nowhere.close();
  expect(await one.state()).toMatchObject({ status: "revoking" });
  expect(await one.revoke()).toMatchObject({ amountMinor: 700, balanceMinor: 0 });
});

test("a claim that is under way is finished first, and then taken back", async () => {
  const one = await assigned();
  await expect(one.claim(dyingAt("before debit"))).rejects.toThrow("died");
  expect(await one.state()).toMatchObject({ status: "claiming" });
  expect(await one.revoke()).toMatchObject({ amountMinor: 700, balanceMinor: 0 });
  const refused = await assigned();
  await expect(refused.claim(dyingAt("before debit"))).rejects.toThrow("died");
  await refused.setStatus("suspended");
  expect(await refused.revoke()).toBeNull();
  expect(await refused.state()).toEqual({ status: "revoked", balanceMinor: 0, transactions: 0, used: 0 });
});

test("a claim whose end can't be known now is left alone", async () => {
  const one = await assigned();
  const nowhere = connectBalanceService("ipv4:127.0.0.1:1", "a-service-token-of-32-characters-");
  const away = { ...ctx, balance: nowhere.client };
  await expect(one.claim(away)).rejects.toMatchObject({ code: "balance_unavailable" });
  await expect(one.revoke(away)).rejects.toMatchObject({ code: "claim_under_way" });
  nowhere.close();
  expect(await one.row()).toMatchObject({ status: "claiming", revokedBy: null });
});

test("one that has expired is no longer there to withdraw, but what was claimed of it is", async () => {
  const open = await assigned();
  await open.end();
  await expect(open.revoke()).rejects.toMatchObject({ code: "assignment_expired" });
  const claimed = await assigned();
  await claimed.claim();
  await claimed.end();
  expect(await claimed.revoke()).toMatchObject({ amountMinor: 700 });
});

test("a promotion that isn't there, or isn't the player's, is named as such", async () => {
  const one = await assigned();
  const revoke = (ids: object) =>
    revokeAssignment(ctx, {
      ...{ playerId: one.playerId, promotionId: one.promotionId, revokedBy: newId(), reason: "r" },
      ...ids,
    });
  await expect(revoke({ promotionId: newId() })).rejects.toMatchObject({ code: "promotion_not_found" });
  await expect(revoke({ playerId: newId() })).rejects.toMatchObject({ code: "promotion_not_assigned" });
});

test("withdrawals against claims at once end in one of two ways, and the money fits", async () => {
  const ends = new Set<string>();
  for (let round = 0; round < 40; round++) {
    const one = await assigned();
    const [claimed, revoked] = await Promise.allSettled([
      one.claim(),
      (async () => {
        for (let turn = 0; turn < round % 8; turn++) await one.row();
        return one.revoke();
      })(),
    ]);
    const wasPaid = claimed.status === "fulfilled";
    if (!wasPaid) expect(claimed.reason).toMatchObject({ code: "promotion_revoked" });
    expect(revoked.status).toBe("fulfilled");
    const wasTakenBack = revoked.status === "fulfilled" && revoked.value !== null;
    expect(await one.state()).toEqual({
      status: "revoked",
      balanceMinor: 0,
      transactions: wasTakenBack ? 2 : 0,
      used: 0,
    });
    ends.add(wasTakenBack ? "paid and taken back" : "withdrawn");
  }
  expect([...ends].sort()).toEqual(["paid and taken back", "withdrawn"]);
});

test("an attempt that was frozen while others were refused, and then succeeded, tells what is true", async () => {
  const one = await assigned();
  await one.claim();
  await change(one, -700);
  const gate = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const addTransaction: ClaimSystem["ctx"]["balance"]["addTransaction"] = async (request) => {
    arrived.resolve();
    await gate.promise;
    return ctx.balance.addTransaction(request);
  };
  const frozen = one.revoke({ ...ctx, balance: { ...ctx.balance, addTransaction } });
  await arrived.promise;
  await expect(one.revoke()).rejects.toMatchObject({ code: "balance_too_low" });
  await change(one, 700);
  const reversal = await one.revoke();
  expect(reversal).toMatchObject({ amountMinor: 700, balanceMinor: 0 });
  gate.resolve();
  expect(await frozen).toEqual(reversal);
});
