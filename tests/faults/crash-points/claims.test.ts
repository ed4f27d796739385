import { and, eq, inArray, sql } from "drizzle-orm";
import getPort from "get-port";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignPromotion } from "../../../domain/promotions/assignments/assign-promotion.ts";
import { claimPromotion } from "../../../domain/promotions/claims/claim-promotion.ts";
import type { ClaimContext } from "../../../domain/promotions/context.ts";
import { recordPlayerEvents } from "../../../domain/promotions/players/record-player-events.ts";
import { createPromotion } from "../../../domain/promotions/promotions/create-promotion.ts";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import { transactions, users } from "../../../drizzle/users/schema.ts";
import { createBalanceService } from "../../../functions/users/ledger/grpc.ts";
import { type BalanceServiceClient, connectBalanceService } from "../../../lib/grpc/client.ts";
import { createGrpcServer } from "../../../lib/grpc/server.ts";
import { newId } from "../../../lib/ids.ts";
import { BalanceServiceDefinition } from "../../../proto/generated/casino/balance/v1/balance.ts";
import { runClaimReconciler } from "../../../workers/claim-reconciler/claim-reconciler.ts";
import { CREDIT_TO_NOBODY, insertPlayers } from "../../support/balance-service.ts";
import { createTestDatabase } from "../../support/database.ts";
import { metrics, silentLog } from "../../support/kafka.ts";
import { newPromotion, registered } from "../../support/promotions.ts";
import { until } from "../../support/until.ts";
import { die, dieTimes, untilForgotten } from "./victim.ts";
import type { CrashPoint } from "./victims/steps.ts";

const PLAYERS = 20;
const AMOUNT_MINOR = 700;
/** The victims die amid their claims, so that others are at every other step. */
const NTH = 5;
/** How long a reconciler keeps others away from what it has taken. */
const LEASE_MS = 500;
const LONG_AGO = sql`now() - interval '1 hour'`;
const SERVICE_TOKEN = "a-service-token-of-32-characters-";

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;
let usersDatabase: TestDatabase;
let promotionsDatabase: TestDatabase;
let usersService: ReturnType<typeof createGrpcServer>;
let usersPort: number;
beforeAll(async () => {
  [usersDatabase, promotionsDatabase] = await Promise.all([
    createTestDatabase("users"),
    createTestDatabase("promotions"),
  ]);
  usersService = createGrpcServer({ serviceToken: SERVICE_TOKEN, log: silentLog, metrics });
  usersService.add(BalanceServiceDefinition, createBalanceService({ db: usersDatabase.db, currency: "EUR" }));
  usersPort = await usersService.listen("127.0.0.1:0");
});
afterAll(async () => {
  usersService.forceShutdown();
  await Promise.all([usersDatabase.drop(), promotionsDatabase.drop()]);
});

/** Players who all have a promotion that they may claim. */
async function createClaims({ count = PLAYERS, maxClaims = null }: { count?: number; maxClaims?: number | null } = {}) {
  const database = promotionsDatabase;
  const balance = connectBalanceService(targetOf([usersPort]), SERVICE_TOKEN);
  const ctx: ClaimContext = { db: database.db, currency: "EUR", log: silentLog, balance: balance.client };
  const playerIds = await insertPlayers(usersDatabase.db, count);
  const registrations = playerIds.map((id) => ({ event: registered(id) }));
  await recordPlayerEvents(ctx, registrations);
  const promotion = await createPromotion(ctx, newPromotion({ amountMinor: AMOUNT_MINOR, maxClaims }));
  await assignPromotion(ctx, { promotionId: promotion.id, playerIds, assignedBy: newId() });

  const isOurs = eq(assignments.promotionId, promotion.id);
  const rows = () => database.db.select().from(assignments).where(isOurs);
  const claim = (playerId: string, withContext = ctx) =>
    claimPromotion(withContext, { playerId, promotionId: promotion.id });
  const claimAll = async () => {
    const results = [];
    for (const playerId of playerIds) results.push(await claim(playerId));
    return results;
  };
  const countsByStatus = async () => {
    const byStatus = Map.groupBy(await rows(), ({ status }) => status);
    return Object.fromEntries([...byStatus].map(([status, { length }]) => [status, length]));
  };
  /** Each claimed assignment has one credit, under its key, nothing else was paid, and the balances are the sums. */
  const expectPaidExactly = async () => {
    const claimed = (await rows()).filter(({ status }) => status === "claimed");
    const ledger = await usersDatabase.db.select().from(transactions).where(inArray(transactions.userId, playerIds));
    expect(ledger.map((row) => [row.idempotencyKey, row.userId, row.id, row.amountMinor]).sort()).toEqual(
      claimed.map((row) => [row.claimKey, row.playerId, row.transactionId, AMOUNT_MINOR]).sort(),
    );
    const credited = new Set(ledger.map(({ userId }) => userId));
    const players = await usersDatabase.db.select().from(users).where(inArray(users.id, playerIds));
    expect(players.map(({ id, balanceMinor }) => [id, balanceMinor]).sort()).toEqual(
      playerIds.map((id) => [id, credited.has(id) ? AMOUNT_MINOR : 0]).sort(),
    );
  };
  return {
    ctx,
    input: {
      databaseUrl: database.url,
      usersGrpcTarget: targetOf([usersPort]),
      serviceToken: SERVICE_TOKEN,
      promotionId: promotion.id,
      playerIds,
    },
    claim,
    countsByStatus,
    expectPaidExactly,
    /** All are under way since long ago, and none is paid. */
    beginAll: () =>
      database.db
        .update(assignments)
        .set({ status: "claiming", claimingAt: LONG_AGO, attemptedAt: LONG_AGO, claimKey: sql`id::text` })
        .where(isOurs),
    /** Those that are under way are so since long ago. */
    age: () =>
      database.db
        .update(assignments)
        .set({ claimingAt: LONG_AGO, attemptedAt: LONG_AGO })
        .where(and(isOurs, eq(assignments.status, "claiming"))),
    /** Runs a reconciler until no claim is under way. */
    async reconcile(staleAfterMs: number) {
      const reconciler = runClaimReconciler(ctx, { staleAfterMs, intervalMs: 50 });
      await until("no claim is under way", async () => (await countsByStatus()).claiming === undefined, {
        timeoutMs: 40_000,
      });
      await reconciler.stop();
    },
    /** Every player claims, and then again: the same answer, and one payment. */
    async expectAllClaimOnce() {
      const results = await claimAll();
      expect(results.map(({ balanceMinor }) => balanceMinor)).toEqual(playerIds.map(() => AMOUNT_MINOR));
      expect(await claimAll()).toEqual(results.map((result) => ({ ...result, replayed: true })));
      expect(await countsByStatus()).toEqual({ claimed: PLAYERS });
      await expectPaidExactly();
    },
    close: balance.close,
  };
}
type Claims = Awaited<ReturnType<typeof createClaims>>;

const targetOf = (ports: number[]) => `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;

async function withClaims(
  work: (claims: Claims) => Promise<void>,
  options?: Parameters<typeof createClaims>[0],
): Promise<void> {
  const claims = await createClaims(options);
  try {
    await work(claims);
  } finally {
    claims.close();
  }
}

/** Works with a client of two Users replicas, one of which dies of its work. */
async function withDyingUsers(dieAt: CrashPoint, work: (client: BalanceServiceClient) => Promise<void>): Promise<void> {
  const port = await getPort();
  let calls = 0;
  const input = { databaseUrl: usersDatabase.url, serviceToken: SERVICE_TOKEN, port };
  const death = die("users", input, dieAt, () => {
    calls += 1;
  });
  const balance = connectBalanceService(targetOf([port, usersPort]), SERVICE_TOKEN);
  const probing = until("the victim takes its share of the calls", async () => {
    await balance.client.addTransaction(CREDIT_TO_NOBODY).catch(() => {});
    return calls > 0;
  });
  await Promise.race([probing, death]);
  await work(balance.client);
  await death;
  balance.close();
}

/** A claim begins and ends in one statement each, so there is nothing between a write and its commit to die at. */
const CLAIM_POINTS: [string, CrashPoint, number][] = [
  ["claiming | credit", { step: "credit", nth: NTH }, 1],
  ["credit | claimed", { step: "credited", nth: NTH }, 1],
  ["credit | claimed, three times", { step: "credited", nth: NTH }, 3],
  ["claimed | answer", { step: "answer", nth: NTH }, 1],
];

test.each(CLAIM_POINTS)("claims die at %s: the players' next try ends them, paid once", (_, dieAt, deaths) =>
  withClaims(async (claims) => {
    await dieTimes(deaths, "claim", claims.input, dieAt);
    await claims.expectAllClaimOnce();
  }),
);

test.each(CLAIM_POINTS)("claims die at %s: the reconciler ends what was begun, paid once", (_, dieAt, deaths) =>
  withClaims(async (claims) => {
    await dieTimes(deaths, "claim", claims.input, dieAt);
    await untilForgotten(claims.ctx.db);
    const { claiming = 0, claimed = 0, assigned = 0 } = await claims.countsByStatus();
    expect(claiming + claimed).toBeGreaterThanOrEqual(NTH);
    await claims.age();
    await claims.reconcile(60_000);
    expect(await claims.countsByStatus()).toEqual({
      claimed: claiming + claimed,
      ...(assigned > 0 ? { assigned } : {}),
    });
    await claims.expectPaidExactly();
    await claims.expectAllClaimOnce();
  }),
);

test.each<[string, CrashPoint, number]>([
  ["lease | credit", { step: "credit", nth: NTH }, 1],
  ["credit | claimed", { step: "credited", nth: NTH }, 1],
  ["credit | claimed, three times", { step: "credited", nth: NTH }, 3],
])("a reconciler dies at %s: the next one ends its claims when the lease is over, paid once", (_, dieAt, deaths) =>
  withClaims(async (claims) => {
    await claims.beginAll();
    await dieTimes(deaths, "reconciler", { ...claims.input, staleAfterMs: LEASE_MS }, dieAt);
    expect((await claims.countsByStatus()).claiming).toBeGreaterThan(0);
    await claims.reconcile(LEASE_MS);
    await claims.expectAllClaimOnce();
  }),
);

test.each<[string, CrashPoint]>([
  ["request | ledger", { step: "write", nth: 8 }],
  ["ledger | answer", { step: "written", nth: 8 }],
])("a Users replica dies at %s: its claims go on at another one with the same key, and none fails", (_, dieAt) =>
  withClaims(async (claims) => {
    await withDyingUsers(dieAt, async (balance) => {
      const ctx = { ...claims.ctx, balance };
      await Promise.all(claims.input.playerIds.map((playerId) => claims.claim(playerId, ctx)));
    });
    await claims.expectAllClaimOnce();
  }),
);

const CAP = 100;
/** The proof is asked for twenty times: CAP_ROUNDS=20 npm test -- --project crash-points claims. */
const CAP_ROUNDS = Number(process.env.CAP_ROUNDS ?? 1);

test.each<[string, CrashPoint]>([
  ["reservation | credit", { step: "credit", nth: 20 }],
  ["credit | claimed", { step: "credited", nth: 20 }],
  ["claimed | answer", { step: "answer", nth: 20 }],
  ["refusal | voided", { step: "void", nth: 5 }],
  ["voided | given back", { step: "voided", nth: 5 }],
])(
  `${2 * CAP} players claim at once on a cap of ${CAP} from three processes, which die at %s: exactly ${CAP} are paid`,
  async (_, dieAt) => {
    for (let round = 0; round < CAP_ROUNDS; round++) {
      await withClaims(
        async (claims) => {
          const { playerIds } = claims.input;
          // Some are refused by Users, so that what they have reserved must come back.
          const suspended = playerIds.slice(0, CAP / 2);
          const setStatus = (status: "active" | "suspended") =>
            usersDatabase.db.update(users).set({ status }).where(inArray(users.id, suspended));
          await setStatus("suspended");
          // Not all in one order, and who is refused among the first.
          const lanes = [0, 1, 2].map((lane) => [
            ...suspended,
            ...playerIds.slice(lane * 40),
            ...playerIds.slice(CAP / 2, lane * 40),
          ]);
          await Promise.all(lanes.map((lane) => die("claim", { ...claims.input, playerIds: lane }, dieAt)));
          await untilForgotten(claims.ctx.db);
          await claims.age();
          await claims.reconcile(60_000);
          await setStatus("active");
          const outcomes = await Promise.allSettled(playerIds.map((playerId) => claims.claim(playerId)));
          const refusals = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
          expect(refusals).toEqual(Array(CAP).fill("promotion_exhausted"));
          expect(await claims.countsByStatus()).toEqual({ claimed: CAP, assigned: CAP });
          await claims.expectPaidExactly();
        },
        { count: 2 * CAP, maxClaims: CAP },
      );
    }
  },
  CAP_ROUNDS * 40_000,
);

test.each<[string, CrashPoint]>([
  ["request | ledger", { step: "write", nth: 20 }],
  ["ledger | answer", { step: "written", nth: 20 }],
])(
  `a Users replica dies at %s amid ${2 * CAP} claims on a cap of ${CAP}: exactly ${CAP} are paid`,
  async (_, dieAt) => {
    for (let round = 0; round < CAP_ROUNDS; round++) {
      await withClaims(
        async (claims) => {
          await withDyingUsers(dieAt, async (balance) => {
            const ctx = { ...claims.ctx, balance };
            await Promise.allSettled(claims.input.playerIds.map((playerId) => claims.claim(playerId, ctx)));
          });
          await claims.age();
          await claims.reconcile(60_000);
          expect(await claims.countsByStatus()).toEqual({ claimed: CAP, assigned: CAP });
          await claims.expectPaidExactly();
        },
        { count: 2 * CAP, maxClaims: CAP },
      );
    }
  },
  CAP_ROUNDS * 40_000,
);
