import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expireAssignments } from "../../domain/promotions/assignments/expire-assignments.ts";
import { reconcileClaims } from "../../domain/promotions/claims/reconcile-claims.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import {
  type Account,
  type ApiResponse,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  endWelcomeBonuses,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { listProcesses } from "../support/control.ts";
import { silentLog } from "../support/kafka.ts";
import { LANES, playRounds, seeded, tally } from "../support/races.ts";
import { servers } from "../support/servers.ts";
import { withUnknownSession } from "../support/tokens.ts";
import { until } from "../support/until.ts";

const AMOUNT_MINOR = 100;
/** About as long as a claim takes, so that any step of the one may fall between any two of the other. */
const OFFSET_MS_MAX = 15;

const users = postgres(servers.usersDatabaseUrl, { max: 4 });
const promotions = postgres(servers.promotionsDatabaseUrl, { max: 4 });
let staff: Account;
let colleague: Account;
let players: Account[];

beforeAll(async () => {
  [staff, colleague] = await Promise.all([registerStaff(), registerStaff()]);
  players = await Promise.all(Array.from({ length: LANES }, registerPlayer));
  await endWelcomeBonuses(staff.token); // so that nobody's balance has anything but what is claimed here
});
afterAll(async () => {
  await Promise.all([users.end(), promotions.end()]);
});

/** With a token that no suspension of an earlier round has ended. */
const playerOf = (lane: number) => withUnknownSession(players[lane] as Account);
const describe = ({ status, body }: ApiResponse) => (status < 300 ? String(status) : `${status} ${body.code}`);

const setStatus = (by: Account, promotionId: string, status: string) =>
  api(`PATCH /promotions/api/v1/promotions/${promotionId}`, { token: by.token, json: { status } });
const setPlayerStatus = (by: Account, playerId: string, status: string) =>
  api(`PATCH /users/api/v1/users/${playerId}/status`, { token: by.token, json: { status, reason: "A test." } });

/** A promotion that the player has, not claimed yet. Waits until Promotions has heard that they are active. */
async function give(player: Account, overrides: Record<string, unknown> = {}): Promise<string> {
  const { id } = await createPromotion(staff.token, { amountMinor: AMOUNT_MINOR, ...overrides });
  await until("the promotion is assigned", async () => {
    const { assigned, alreadyAssigned } = await assign(staff.token, id, [player.id]);
    return assigned + alreadyAssigned === 1;
  });
  return id;
}

/** What both databases hold of a claim: `claimed, credited once`, `assigned, not credited`, … */
async function readState(player: Account, promotionId: string): Promise<string> {
  const [assignment] = await promotions`
    select coalesce(claim_key, id::text) as key, status, transaction_id from assignments where player_id = ${player.id} and promotion_id = ${promotionId}`;
  if (assignment === undefined) return "not assigned";
  const credits = await users`select id, amount_minor from transactions where idempotency_key = ${assignment.key}`;
  const isRight = credits.every(
    ({ id, amount_minor }) => Number(amount_minor) === AMOUNT_MINOR && id === assignment.transaction_id,
  );
  if (!isRight) return `${assignment.status}, credited wrongly`;
  return `${assignment.status}, ${["not credited", "credited once"][credits.length] ?? "credited too often"}`;
}

/** The balance is the sum of what was credited, after all rounds as well. */
async function expectBalancesToFit(): Promise<void> {
  for (const player of players) {
    const [sum] =
      await users`select coalesce(sum(amount_minor), 0) as minor from transactions where user_id = ${player.id}`;
    expect(await balanceOf(await withUnknownSession(player))).toBe(Number(sum?.minor));
  }
}

/** Every outcome is one of the table's, and each of those that must occur did. */
function expectOutcomes(what: string, outcomes: string[], table: { certain: string[]; possible?: string[] }): void {
  const counts = tally(outcomes);
  console.log(`${what}:`, counts);
  const allowed = [...table.certain, ...(table.possible ?? [])];
  expect(Object.keys(counts).filter((outcome) => !allowed.includes(outcome))).toEqual([]);
  expect(table.certain.filter((outcome) => counts[outcome] === undefined)).toEqual([]);
}

const PAID = "claimed, credited once";
const UNPAID = "assigned, not credited";
/** How long the worker that marks what has run out may take to do so. */
const MARKED_WITHIN_MS = 30_000;

/** What an assignment that can't be claimed any more comes to: the expirer marks it at its next look. */
async function readFinalState(player: Account, promotionId: string): Promise<string> {
  const isFinal = (state: string) => state !== UNPAID;
  return until(
    "it is paid or expired",
    async () => {
      const state = await readState(player, promotionId);
      return isFinal(state) && state;
    },
    { timeoutMs: MARKED_WITHIN_MS },
  );
}
const EXPIRED = "expired, not credited";

test.for(["paused", "ended"])(
  "a claim against the promotion being %s is either paid in full or refused",
  async (status) => {
    const outcomes = await playRounds({ rounds: 25, seed: 1, offsetMsMax: OFFSET_MS_MAX }, async (lane, play) => {
      const player = await playerOf(lane);
      const promotionId = await give(player);
      const [claimed, changed] = await play({
        first: () => claim(player, promotionId),
        second: () => setStatus(staff, promotionId, status),
      });
      const read = status === "ended" ? readFinalState : readState;
      return `claim ${describe(claimed)}, ${status} ${describe(changed)}: ${await read(player, promotionId)}`;
    });
    const unpaid = status === "ended" ? EXPIRED : UNPAID;
    expectOutcomes(`claim × ${status}`, outcomes, {
      certain: [`claim 201, ${status} 200: ${PAID}`, `claim 409 promotion_not_active, ${status} 200: ${unpaid}`],
    });
    await expectBalancesToFit();
  },
);

test("a claim at the moment of the promotion's end is either paid in full or refused", async () => {
  const random = seeded(2);
  const endsAt = Date.now() + 4_000;
  const promotionIds = await Promise.all(
    Array.from({ length: 30 }, async (_, index) => ({
      player: await playerOf(index % LANES),
      promotionId: await give(await playerOf(index % LANES), { endsAt: new Date(endsAt).toISOString() }),
    })),
  );
  const outcomes = await Promise.all(
    promotionIds.map(async ({ player, promotionId }, index) => {
      // The first one long before, the second one after, all others around the end.
      const claimAt = index === 0 ? 0 : index === 1 ? endsAt + 50 : endsAt - OFFSET_MS_MAX + (2 * random() - 1) * 40;
      await until("it is time", () => Date.now() >= claimAt, { intervalMs: 1 });
      const claimed = await claim(player, promotionId);
      return `claim ${describe(claimed)}: ${await readFinalState(player, promotionId)}`;
    }),
  );
  expectOutcomes("claim × end", outcomes, {
    certain: [`claim 201: ${PAID}`, `claim 409 promotion_not_active: ${EXPIRED}`],
  });
  await expectBalancesToFit();
});

test("a claim at the last millisecond, against two expirers: it is paid or expired, and never both", async () => {
  const database = connectDatabase({ url: servers.promotionsDatabaseUrl, name: "test" });
  const ctx = { db: database.db };
  const hours = 1;
  try {
    const outcomes = await playRounds({ rounds: 40, seed: 8, offsetMsMax: OFFSET_MS_MAX }, async (lane, play) => {
      const player = await playerOf(lane);
      // Every other one with a cap, whose claims begin by another statement.
      const promotionId = await give(player, { claimWithinHours: hours, ...(lane % 2 === 0 ? { maxClaims: 5 } : {}) });
      const [row] = await promotions`
        update assignments set assigned_at = clock_timestamp() - ${hours} * interval '1 hour' + interval '60 ms'
        where player_id = ${player.id} and promotion_id = ${promotionId}
        returning extract(epoch from assigned_at)::float8 * 1000 as assigned_ms`;
      const deadline = Number(row?.assigned_ms) + hours * 3_600_000;
      await until("it is the last moment", () => Date.now() >= deadline - OFFSET_MS_MAX, { intervalMs: 1 });
      const expire = () => expireAssignments(ctx, { promotionId, due: "expired", noticeHours: 24, batchMax: 10 });
      const [claimed] = await play({
        first: () => claim(player, promotionId),
        // Until it is over for certain, by the clock of the database.
        second: async () => {
          while (Date.now() < deadline + OFFSET_MS_MAX) await Promise.all([expire(), expire()]);
        },
      });
      return `claim ${describe(claimed)}: ${await readFinalState(player, promotionId)}`;
    });
    expectOutcomes("claim × expirers", outcomes, {
      certain: [`claim 201: ${PAID}`, `claim 409 assignment_expired: ${EXPIRED}`],
    });
  } finally {
    await database.close();
  }
  await expectBalancesToFit();
});

test.for(["suspended", "self_excluded"])(
  "a claim against the player being %s is either paid in full or refused, and can be claimed later",
  async (status) => {
    const outcomes = await playRounds({ rounds: 20, seed: 3, offsetMsMax: OFFSET_MS_MAX }, async (lane, play) => {
      const player = await playerOf(lane);
      const promotionId = await give(player);
      const [claimed, changed] = await play({
        first: () => claim(player, promotionId),
        second: () => setPlayerStatus(staff, player.id, status),
      });
      const outcome = `claim ${describe(claimed)}, ${status} ${describe(changed)}: ${await readState(player, promotionId)}`;
      expect((await setPlayerStatus(staff, player.id, "active")).status).toBe(200);
      expect(describe(await claim(player, promotionId))).toBe(claimed.status === 201 ? "200" : "201");
      expect(await readState(player, promotionId)).toBe(PAID);
      return outcome;
    });
    expectOutcomes(`claim × ${status}`, outcomes, {
      certain: [`claim 201, ${status} 200: ${PAID}`, `claim 403 player_not_active, ${status} 200: ${UNPAID}`],
    });
    await expectBalancesToFit();
  },
);

test("two claims against a suspension and a reinstatement: the money fits the assignment, whichever attempt is refused", async () => {
  const outcomes = await playRounds({ rounds: 20, seed: 4, offsetMsMax: 2 * OFFSET_MS_MAX }, async (lane, play) => {
    const player = await playerOf(lane);
    const promotionId = await give(player);
    const [[one, two]] = await play({
      first: () => Promise.all([claim(player, promotionId), claim(player, promotionId)]),
      second: async () => {
        expect((await setPlayerStatus(staff, player.id, "suspended")).status).toBe(200);
        expect((await setPlayerStatus(staff, player.id, "active")).status).toBe(200);
      },
    });
    return `claims ${[one, two].map(describe).sort().join(" and ")}: ${await readState(player, promotionId)}`;
  });
  expectOutcomes("2 claims × suspension and reinstatement", outcomes, {
    certain: [`claims 200 and 201: ${PAID}`],
    possible: [
      `claims 201 and 403 player_not_active: ${PAID}`,
      `claims 403 player_not_active and 403 player_not_active: ${UNPAID}`,
    ],
  });
  await expectBalancesToFit();
});

test("the same claim at all three replicas at once, twice each, is paid once and answered alike", async () => {
  const ports = (await listProcesses()).filter(({ role }) => role === "promotions").map(({ port }) => port);
  expect(ports).toHaveLength(3);
  const outcomes = await playRounds({ rounds: 15, seed: 5, offsetMsMax: OFFSET_MS_MAX }, async (lane, play) => {
    const player = await playerOf(lane);
    const promotionId = await give(player);
    const claimEverywhere = () =>
      Promise.all(ports.map((port) => claimAt(`http://127.0.0.1:${port}`, player, promotionId)));
    const answers = (await play({ first: claimEverywhere, second: claimEverywhere })).flat();
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    return `claims ${answers.map(({ status }) => status).sort()}: ${await readState(player, promotionId)}`;
  });
  expectOutcomes("claim × claim at three replicas", outcomes, { certain: [`claims 200,200,200,200,200,201: ${PAID}`] });
  await expectBalancesToFit();
});

async function claimAt(replicaUrl: string, player: Account, promotionId: string) {
  const response = await fetch(`${replicaUrl}/api/v1/promotions/claim`, {
    method: "POST",
    headers: { authorization: `Bearer ${player.token}`, "content-type": "application/json" },
    body: JSON.stringify({ promotionId }),
  });
  return { status: response.status, text: await response.text() };
}

test("a player's retry against two reconcilers, after a crash in the claim: paid once", async () => {
  const database = connectDatabase({ url: servers.promotionsDatabaseUrl, name: "test" });
  const balance = connectBalanceService(servers.usersGrpcTarget, servers.serviceToken);
  const ctx = { db: database.db, currency: "EUR", balance: balance.client, log: silentLog };
  // No lease at all, so that they take each other's claims and those that live.
  const reconcile = () => reconcileClaims(ctx, { staleAfterMs: 0, batchMax: 20 });
  try {
    const outcomes = await playRounds({ rounds: 25, seed: 6, offsetMsMax: 3 * OFFSET_MS_MAX }, async (lane, play) => {
      const player = await playerOf(lane);
      const promotionId = await give(player);
      await promotions`
        update assignments set status = 'claiming', claiming_at = now() - interval '1 second',
          attempted_at = now() - interval '1 second', claim_key = id::text
        where player_id = ${player.id} and promotion_id = ${promotionId}`;
      const [retried] = await play({
        first: () => claim(player, promotionId),
        second: () => Promise.all([reconcile(), reconcile()]),
      });
      await until("it is finished", async () => (await readState(player, promotionId)).startsWith("claimed"));
      return `retry ${describe(retried)}: ${await readState(player, promotionId)}`;
    });
    expectOutcomes("retry × 2 reconcilers", outcomes, { certain: [`retry 200: ${PAID}`, `retry 201: ${PAID}`] });
  } finally {
    balance.close();
    await database.close();
  }
  await expectBalancesToFit();
});

test.for(["paused", "ended"])(
  "assigning against the promotion being %s either assigns and announces, or is refused",
  async (status) => {
    const outcomes = await playRounds({ rounds: 20, seed: 7, offsetMsMax: OFFSET_MS_MAX }, async (lane, play) => {
      const player = await playerOf(lane);
      const { id } = await createPromotion(staff.token);
      const [assigned, changed] = await play({
        first: () =>
          api(`POST /promotions/api/v1/promotions/${id}/assign`, {
            token: staff.token,
            json: { playerIds: [player.id] },
          }),
        second: () => setStatus(colleague, id, status),
      });
      const read = status === "ended" ? readFinalState : readState;
      return `assign ${describe(assigned)}, ${status} ${describe(changed)}: ${await read(player, id)}`;
    });
    expectOutcomes(`assign × ${status}`, outcomes, {
      certain: [
        `assign 200, ${status} 200: ${status === "ended" ? EXPIRED : UNPAID}`,
        `assign 409 promotion_not_active, ${status} 200: not assigned`,
      ],
    });
  },
);

test("two members of staff who change a player's status at once: one after the other, and Promotions hears of the last", async () => {
  const outcomes = await playRounds({ rounds: 20, seed: 8, offsetMsMax: OFFSET_MS_MAX / 2 }, async (lane, play) => {
    const player = await playerOf(lane);
    const answers = await play({
      first: () => setPlayerStatus(staff, player.id, "suspended"),
      second: () => setPlayerStatus(colleague, player.id, "self_excluded"),
    });
    const [user] = await users`select status from users where id = ${player.id}`;
    const changes = await users`
      select from_status as "from", to_status as "to" from user_status_changes where user_id = ${player.id} order by changed_at desc, id desc limit 2`;
    expect(changes).toMatchObject([{ to: user?.status, from: changes[1]?.to }, { from: "active" }]);
    await until(`Promotions knows that they are ${user?.status}`, async () => {
      const [copy] = await promotions`select status from players where id = ${player.id}`;
      return copy?.status === user?.status;
    });
    expect((await setPlayerStatus(staff, player.id, "active")).status).toBe(200);
    return `${answers.map(describe)}: ${user?.status}`;
  });
  expectOutcomes("status × status", outcomes, { certain: ["200,200: self_excluded", "200,200: suspended"] });
  for (const player of players) {
    await until("Promotions knows that they are active", async () => {
      const [copy] = await promotions`select status from players where id = ${player.id}`;
      return copy?.status === "active";
    });
  }
});

test("of two welcome bonuses whose windows are made to overlap and activated at once, one is", async () => {
  const outcomes = await playRounds({ rounds: 15, seed: 9, offsetMsMax: OFFSET_MS_MAX / 3 }, async (lane, play) => {
    const day = (date: number) => new Date(Date.UTC(2050 + lane, 0, date)).toISOString();
    const draft = (from: number, to: number) =>
      createPromotion(staff.token, { type: "WELCOME_BONUS", status: "draft", startsAt: day(from), endsAt: day(to) });
    const [earlier, later] = await Promise.all([draft(1, 10), draft(20, 30)]);
    const change = (by: Account, id: string, json: Record<string, unknown>) =>
      api(`PATCH /promotions/api/v1/promotions/${id}`, { token: by.token, json });
    const answers = await play({
      first: () => change(staff, earlier.id, { endsAt: day(17), status: "active" }),
      second: () => change(colleague, later.id, { startsAt: day(14), status: "active" }),
    });
    const active = await promotions`
      select id from promotions where id in ${promotions([earlier.id, later.id])} and status = 'active'`;
    for (const { id } of [earlier, later]) expect((await setStatus(staff, id, "ended")).status).toBe(200);
    return `${answers.map(describe)}: ${active.length} active`;
  });
  expectOutcomes("activation × activation", outcomes, {
    certain: ["200,409 welcome_bonus_overlap: 1 active", "409 welcome_bonus_overlap,200: 1 active"],
  });
});
