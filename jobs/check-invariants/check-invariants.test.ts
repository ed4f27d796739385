import path from "node:path";
import { ne } from "drizzle-orm";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { storeNotifications } from "../../domain/notifications/store-notifications.ts";
import { assignPromotion } from "../../domain/promotions/assignments/assign-promotion.ts";
import { createCodeGuesses } from "../../domain/promotions/assignments/code-guesses.ts";
import { optIn } from "../../domain/promotions/assignments/opt-in.ts";
import { claimPromotion } from "../../domain/promotions/claims/claim-promotion.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import { recordPlayerEvents } from "../../domain/promotions/players/record-player-events.ts";
import { createPromotion } from "../../domain/promotions/promotions/create-promotion.ts";
import { expiryEvent, type Promotion } from "../../domain/promotions/promotions/promotion.ts";
import { foldChanges } from "../../domain/promotions/statistics/fold-changes.ts";
import { insertUser } from "../../domain/users/accounts/insert-user.ts";
import { addTransaction } from "../../domain/users/ledger/add-transaction.ts";
import type { NotificationEvent } from "../../lib/events.ts";
import { newId } from "../../lib/ids.ts";
import { deadLetterTopic, toSettlement } from "../../lib/kafka/dead-letter.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { connectMongo, type MongoHandle } from "../../lib/mongo.ts";
import { outbox } from "../../lib/outbox/schema.ts";
import { connectRedis } from "../../lib/redis.ts";
import { notAskedFor } from "../../tests/support/balance-service.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { createTestTopic, kafka, produce, silentLog } from "../../tests/support/kafka.ts";
import { accountNews, promoted, received } from "../../tests/support/notifications.ts";
import { newPromotion, registered } from "../../tests/support/promotions.ts";
import { servers } from "../../tests/support/servers.ts";
import { checkInvariants, type InvariantBounds, type InvariantConnections } from "./check-invariants.ts";
import { checkClaims } from "./claims.ts";
import { checkConsumerLag } from "./consumer-lag.ts";
import { checkDeadLetters } from "./dead-letters.ts";
import { checkNotifications } from "./notifications.ts";
import { checkPlayers } from "./players.ts";
import { report } from "./report.ts";
import { connectReadOnly, type Snapshot, withSnapshots } from "./snapshots.ts";
import { checkWelcomeBonuses } from "./welcome-bonuses.ts";

/** Everything is due at once, or nothing that these tests make is. */
const AT_ONCE: InvariantBounds = { lagBoundMs: 0, claimingBoundMs: 0, examplesMax: 100 };
const LATER: InvariantBounds = { lagBoundMs: 3_600_000, claimingBoundMs: 3_600_000, examplesMax: 100 };

let users: Awaited<ReturnType<typeof createTestDatabase>>;
let promotions: typeof users;
let documents: MongoHandle;
let connections: InvariantConnections;
let ctx: ClaimContext;
let bonus: Promotion;

beforeAll(async () => {
  [users, promotions] = await Promise.all([createTestDatabase("users"), createTestDatabase("promotions")]);
  const mongodbUrl = new URL(servers.mongodbUrl);
  mongodbUrl.pathname = `/test_${newId().replaceAll("-", "")}`;
  documents = connectMongo(mongodbUrl.href, "test");
  connections = {
    usersDatabaseUrl: users.url,
    promotionsDatabaseUrl: promotions.url,
    mongodbUrl: mongodbUrl.href,
    kafkaBrokers: servers.kafkaBrokers,
  };
  ctx = {
    db: promotions.db,
    currency: "EUR",
    log: silentLog,
    balance: {
      voidTransaction: notAskedFor,
      addTransaction: async (request) =>
        addTransaction(
          { db: users.db, currency: "EUR" },
          {
            idempotencyKey: request.idempotencyKey ?? "",
            userId: request.userId ?? "",
            type: "CREDIT",
            amountMinor: request.amountMinor ?? 0,
            currency: request.currency ?? "",
            description: request.description ?? "",
            reference: request.reference ?? "",
          },
        ),
    },
  };
  bonus = await createPromotion(ctx, newPromotion({ type: "WELCOME_BONUS" }));
});
afterAll(async () => {
  await documents.db.dropDatabase();
  await documents.close();
  await Promise.all([users.drop(), promotions.drop()]);
});

/** What relay and notifier do. */
async function deliver(): Promise<void> {
  const rows = await promotions.db.delete(outbox).where(ne(outbox.event, {})).returning();
  await storeNotifications(documents, received(rows.map(({ event }) => event as NotificationEvent)));
}

interface Player {
  id: string;
  /** of the welcome bonus, which is claimed */
  assignmentId: string;
  transactionId: string;
}

/** A player whose registration, bonus, notification and claim are all exact, and who was told of their account. */
async function exactPlayer(): Promise<Player> {
  const { id, createdAt } = await insertUser(users.db, {
    email: `${newId()}@example.com`,
    passwordHash: "none",
    role: "player",
    currency: "EUR",
  });
  await recordPlayerEvents(ctx, [{ event: registered(id, createdAt) }]);
  await deliver();
  // What is told besides promotions counts for nothing.
  await storeNotifications(documents, received([accountNews(id)]));
  const { transactionId } = await claimPromotion(ctx, { playerId: id, promotionId: bonus.id });
  const [row] = await promotions.client`select id from assignments where player_id = ${id}`;
  return { id, assignmentId: row?.id, transactionId };
}

/** As a defect or a hand in the database would, past triggers and foreign keys. */
const tamper = (database: typeof users, change: (sql: typeof users.client) => Promise<unknown>) =>
  database.client.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await change(tx as unknown as typeof users.client);
  });

const reportsOf = async (bounds: InvariantBounds) =>
  new Map((await checkInvariants(connections, bounds)).map((one) => [one.name, one]));
const violationsOf = async (bounds: InvariantBounds) =>
  [...(await reportsOf(bounds)).values()].flatMap(({ name, examples }) => examples.map((text) => `${name}: ${text}`));

test("the command prints a table and exits with 0, with 1 and the ids of a violation, and with 2 if it could not check", async () => {
  const run = (env: Record<string, string> = {}) =>
    execa(process.execPath, [path.join(import.meta.dirname, "main.ts")], {
      env: {
        USERS_DATABASE_URL: connections.usersDatabaseUrl,
        PROMOTIONS_DATABASE_URL: connections.promotionsDatabaseUrl,
        MONGODB_URL: connections.mongodbUrl,
        KAFKA_BROKERS: connections.kafkaBrokers.join(","),
        LAG_BOUND_SECONDS: "3600",
        ...env,
      },
      reject: false,
    });
  const { id } = await exactPlayer();
  expect(await run()).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^balances +1 +0 +[\d,]+ {2}1 transactions$/m),
  });
  await inUsers((sql) => sql`update users set balance_minor = 1 where id = ${id}`);
  const broken = await run();
  expect(broken).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^balances +1 +1 /m) });
  expect(broken.stdout).toContain(`balances: 1 violation\n  - user ${id}: the balance is 1,`);
  await inUsers((sql) => sql`update users set balance_minor = 2000 where id = ${id}`);
  const unreachable = await run({ USERS_DATABASE_URL: "postgres://nobody:secret@127.0.0.1:1/users" });
  expect(unreachable).toMatchObject({ exitCode: 2, stdout: "" });
  expect(unreachable.stderr).toMatch(/^PostgreSQL, database users, can't be reached: /);
});

test("a system that is exact has no violations, and everything in it was looked at", async () => {
  await exactPlayer();
  const unclaimed = await insertUser(users.db, {
    email: `${newId()}@example.com`,
    passwordHash: "none",
    role: "player",
    currency: "EUR",
  });
  await recordPlayerEvents(ctx, [{ event: registered(unclaimed.id, unclaimed.createdAt) }]);
  const other = await createPromotion(ctx, newPromotion());
  await assignPromotion(ctx, { promotionId: other.id, playerIds: [unclaimed.id], assignedBy: newId() });
  const withCode = await createPromotion(ctx, newPromotion({ generateCode: true }));
  const redis = connectRedis(servers.redisUrl, silentLog);
  const codeGuesses = createCodeGuesses(redis, silentLog, "off");
  await optIn({ ...ctx, codeGuesses }, { playerId: unclaimed.id, code: withCode.code ?? "", address: "" });
  redis.disconnect();
  await deliver();
  // Kafka is the whole stack's, and other tests may be at it.
  const { lagBoundMs } = LATER;
  expect(await violationsOf({ ...AT_ONCE, lagBoundMs })).toEqual([]);
  const reports = await reportsOf(AT_ONCE);
  reports.delete("consumer lag");
  expect([...reports.values()].map(({ name, checked, violations }) => [name, checked, violations])).toEqual([
    ["balances", 3, 0],
    ["claims and credits", 2, 0],
    ["voided keys", 0, 0],
    ["caps", 0, 0],
    ["codes", 1, 0],
    ["statistics", 3, 0],
    ["stuck claims", 0, 0],
    ["deadlines", 3, 0],
    ["players", 3, 0],
    ["welcome bonuses", 3, 0],
    ["notifications", 5, 0],
    ["outbox of users", 0, 0],
    ["outbox of promotions", 0, 0],
    ["dead letters", 0, 0],
  ]);
});

test("whoever registers and claims between the two snapshots, or after them, is under way and no violation", async () => {
  const [own, other] = [connectReadOnly(users.url), connectReadOnly(promotions.url)];
  let snapshot: Snapshot | undefined;
  const begin = (options: string, work: (sql: unknown) => Promise<unknown>) =>
    other.client.begin(options, (sql) => {
      snapshot = sql;
      return work(async (query: TemplateStringsArray) => {
        await sql(query);
        await exactPlayer();
      });
    });
  const reports = await withSnapshots(own, { ...other, client: { begin } as never }, async (snapshots) => {
    await exactPlayer();
    const both = { users: snapshots.users, promotions: snapshot ?? snapshots.promotions };
    return [
      await report("claims", (tally) => checkClaims(both, AT_ONCE, tally)),
      await report("players", (tally) => checkPlayers(both, AT_ONCE, tally)),
      await report("notifications", (tally) => checkNotifications(both.promotions, documents, AT_ONCE, tally)),
    ];
  });
  expect(reports.flatMap(({ examples }) => examples)).toEqual([]);
  // The first one is in the snapshot of Users alone.
  expect(reports.map(({ checked }) => checked)).toEqual([3, 4, 5]);
  await Promise.all([own.close(), other.close()]);
});

type Sql = typeof users.client;
const inUsers = (change: (sql: Sql) => Promise<unknown>) => tamper(users, change);
const inPromotions = (change: (sql: Sql) => Promise<unknown>) => tamper(promotions, change);
const notifications = () => documents.db.collection("notifications");

const addTransactionOf = (id: string, row: { type: "CREDIT" | "DEBIT"; amount: number; after: number }) =>
  inUsers(
    (sql) => sql`insert into transactions (user_id, type, amount_minor, balance_after_minor, currency, description,
      reference, idempotency_key, request_hash)
      values (${id}, ${row.type}, ${row.amount}, ${row.after}, 'EUR', '', '', ${newId()}, '')`,
  );
const setTransaction = (id: string, column: string, value: string | number) =>
  inUsers((sql) => sql`update transactions set ${sql({ [column]: value })} where id = ${id}`);
const unclaim = (id: string, status: "assigned" | "claiming") =>
  inPromotions(
    (sql) => sql`update assignments set status = ${status}, transaction_id = null, claimed_at = null,
      balance_minor = null, claiming_at = now() - interval '1 second',
      claim_key = case ${status} when 'claiming' then claim_key end where id = ${id}`,
  );

/** Takes what the player claimed back in Users. @returns the transaction */
async function reverse({ id, assignmentId }: Player, amount = 2_000, after = 2_000 - amount): Promise<string> {
  const transactionId = newId();
  await inUsers(async (sql) => {
    await sql`insert into transactions (id, user_id, type, amount_minor, balance_after_minor, currency, description, reference,
      idempotency_key, request_hash, reverses)
      values (${transactionId}, ${id}, 'DEBIT', ${amount}, ${after}, 'EUR', '', '', ${newId()}, '', ${assignmentId})`;
    await sql`update users set balance_minor = ${after} where id = ${id}`;
  });
  return transactionId;
}
const markWithdrawn = ({ assignmentId }: Player, transactionId: string) =>
  inPromotions(
    (
      sql,
    ) => sql`update assignments set status = 'revoked', revoking_at = now(), revoked_at = now(), revoked_by = ${newId()},
      revoke_reason = '', reversal_transaction_id = ${transactionId}, reversal_balance_minor = 0 where id = ${assignmentId}`,
  );
/** As the notifier does, of the welcome bonus. */
const tellOfDeadline = async (id: string, type: "PROMOTION_EXPIRING" | "PROMOTION_EXPIRED") =>
  storeNotifications(
    documents,
    received([expiryEvent(type, bonus, { playerId: id, at: new Date(), expiresAt: bonus.endsAt })]),
  );
/** Of another promotion, so young that it needs no notification; its deadline is so many seconds away. */
const openAssignment = async (id: string, status: "assigned" | "expired", secondsLeft: number) => {
  const { id: promotionId } = await createPromotion(ctx, newPromotion());
  await inPromotions(async (sql) => {
    await sql`update promotions set ends_at = now() + ${secondsLeft} * interval '1 second' where id = ${promotionId}`;
    await sql`insert into assignments (player_id, promotion_id, status, expired_at, assigned_by, assigned_at)
      values (${id}, ${promotionId}, ${status}, case ${status} when 'expired' then now() end, ${newId()}, now() + interval '1 day')`;
  });
};

/**
 * Each breaks one thing of an exact player; then the violations that name the player or the assignment are those. What
 * may be under way is none while it is young.
 */
const plants: [
  what: string,
  plant: (player: Player) => Promise<unknown>,
  violations: RegExp[],
  mayBeUnderWay?: true,
][] = [
  [
    "a balance that is not the sum of the transactions",
    ({ id }) => inUsers((sql) => sql`update users set balance_minor = balance_minor + 1 where id = ${id}`),
    [/^balances: .* the balance is 2001, the sum of the transactions 2000$/],
  ],
  [
    "a negative balance",
    async ({ id }) => {
      await inUsers(async (sql) => {
        await sql`alter table users drop constraint users_balance_in_bounds`;
        await sql`alter table transactions drop constraint transactions_balance_not_negative`;
        await sql`update users set balance_minor = -5 where id = ${id}`;
      });
      await addTransactionOf(id, { type: "DEBIT", amount: 2005, after: -5 });
    },
    [/^balances: .* the balance is negative: -5; transaction .* or a negative one$/],
  ],
  [
    "a transaction whose balance is not the sum up to it",
    async ({ id }) => {
      await addTransactionOf(id, { type: "CREDIT", amount: 10, after: 2009 });
      await addTransactionOf(id, { type: "DEBIT", amount: 10, after: 2000 });
    },
    [/^balances: [^;]* has another balance than the sum up to it, or a negative one$/],
  ],
  [
    "a transaction in another currency",
    ({ transactionId }) => setTransaction(transactionId, "currency", "USD"),
    [/^balances: .* in another currency$/, /^claims and credits: .* has currency USD, not EUR$/],
  ],
  [
    "a claim without a credit",
    ({ id, transactionId }) =>
      inUsers(async (sql) => {
        await sql`delete from transactions where id = ${transactionId}`;
        await sql`update users set balance_minor = 0 where id = ${id}`;
      }),
    [/^claims and credits: .* but not credited$/],
  ],
  [
    "a credit without a claim",
    ({ assignmentId }) => unclaim(assignmentId, "assigned"),
    [/^claims and credits: .* not claimed and not being claimed$/],
    true,
  ],
  [
    "a credit whose claim goes on for ever",
    ({ assignmentId }) => unclaim(assignmentId, "claiming"),
    [/^claims and credits: .* but still being claimed$/, /^stuck claims: .* claiming since /],
    true,
  ],
  [
    "an assignment that is credited twice",
    ({ id, assignmentId }) =>
      inUsers(async (sql) => {
        await sql`drop index if exists transactions_idempotency_key`;
        await sql`insert into transactions (user_id, type, amount_minor, balance_after_minor, currency, description,
            reference, idempotency_key, request_hash)
            select user_id, type, amount_minor, 4000, currency, description, reference, idempotency_key, request_hash
            from transactions where idempotency_key = ${assignmentId}`;
        await sql`update users set balance_minor = 4000 where id = ${id}`;
      }),
    [/^claims and credits: .* credited 2 times, /],
  ],
  [
    "a transaction under a voided key",
    ({ assignmentId }) => inUsers((sql) => sql`insert into voided_keys (idempotency_key) values (${assignmentId})`),
    [/^voided keys: key .* was voided, and transaction .* has it$/],
  ],
  [
    "a credit of another transaction than the claim's",
    ({ assignmentId }) =>
      inPromotions((sql) => sql`update assignments set transaction_id = ${newId()} where id = ${assignmentId}`),
    [/^claims and credits: .* has id .*, not .*$/],
  ],
  [
    "a credit of another amount than the promotion's",
    ({ id, transactionId }) =>
      inUsers(async (sql) => {
        await sql`update transactions set amount_minor = 2001, balance_after_minor = 2001 where id = ${transactionId}`;
        await sql`update users set balance_minor = 2001 where id = ${id}`;
      }),
    [/^claims and credits: .* has amount 2001, not 2000, balance 2001, not 2000$/],
  ],
  [
    "a credit to another player than the assignment's",
    async ({ id, transactionId }) => {
      const other = await exactPlayer();
      await inUsers(async (sql) => {
        await sql`update transactions set user_id = ${other.id}, balance_after_minor = 4000 where id = ${transactionId}`;
        await sql`update users set balance_minor = 4000 - balance_minor * 2 where id = ${id}`;
        await sql`update users set balance_minor = 4000 where id = ${other.id}`;
      });
    },
    [/^claims and credits: .* has player .*, not .*, balance 4000, not 2000$/],
  ],
  [
    "a withdrawal that nobody finishes",
    ({ assignmentId }) =>
      inPromotions(
        (sql) => sql`update assignments set status = 'revoking', revoking_at = now() - interval '1 second'
          where id = ${assignmentId}`,
      ),
    [/^stuck claims: .* revoking since /],
    true,
  ],
  [
    "a reversal of what was not withdrawn",
    (player) => reverse(player),
    [/^claims and credits: .* taken back \(transaction .*\), but claimed$/],
    true,
  ],
  [
    "a withdrawal of what was claimed that took nothing back",
    (player) => markWithdrawn(player, newId()),
    [/^claims and credits: .* withdrawn from player .*, but not taken back$/],
  ],
  [
    "a reversal that is not the withdrawal's",
    async (player) => {
      await reverse(player);
      await markWithdrawn(player, newId());
    },
    [/^claims and credits: .* its reversal has id .*, not .*$/],
  ],
  [
    "a reversal of another amount",
    async (player) => {
      const id = await reverse(player, 1_999);
      await markWithdrawn(player, id);
    },
    [
      /^claims and credits: transaction .* back, which is not there in this amount$/,
      /^claims and credits: .* its reversal has amount 1999, not 2000, balance 1, not 0$/,
    ],
  ],
  [
    "a reversal of a credit that is not there",
    ({ id }) =>
      inUsers(async (sql) => {
        await sql`insert into transactions (user_id, type, amount_minor, balance_after_minor, currency, description,
          reference, idempotency_key, request_hash, reverses)
          values (${id}, 'DEBIT', 5, 1995, 'EUR', '', '', ${newId()}, '', ${newId()})`;
        await sql`update users set balance_minor = 1995 where id = ${id}`;
      }),
    [/^claims and credits: transaction .* takes credit .* of player .* back, which is not there in this amount$/],
  ],
  [
    "a credit that is taken back twice",
    async (player) => {
      await inUsers((sql) => sql`drop index if exists transactions_reverses`);
      const id = await reverse(player, 1_000);
      await markWithdrawn(player, id);
      await reverse(player, 1_000, 0);
    },
    [
      /^claims and credits: transaction .* back, which is not there in this amount$/,
      /^claims and credits: transaction .* back, which is not there in this amount$/,
      /^claims and credits: .* taken back 2 times$/,
    ],
  ],
  [
    "a claim that nobody finishes",
    ({ id }) =>
      inPromotions(
        (
          sql,
        ) => sql`insert into assignments (player_id, promotion_id, status, assigned_by, assigned_at, claiming_at, claim_key)
            values (${id}, ${newId()}, 'claiming', ${newId()}, now() + interval '1 day', now() - interval '1 second', ${newId()})`,
      ),
    [/^stuck claims: .* claiming since /],
    true,
  ],
  [
    "a player whom Promotions does not know",
    ({ id }) => inPromotions((sql) => sql`update players set id = ${newId()} where id = ${id}`),
    [
      /^players: .* but unknown to Promotions$/,
      /^welcome bonuses: .* registered at no time: was given .* by the system, instead of none$/,
    ],
  ],
  [
    "a player whom Users does not know",
    ({ id }) => inUsers((sql) => sql`delete from users where id = ${id}`),
    [/^balances: .* does not exist and has transactions$/, /^players: .* known to Promotions, but no player of Users$/],
  ],
  [
    "a status that Promotions has not heard of",
    ({ id }) =>
      inUsers(async (sql) => {
        await sql`update users set status = 'suspended' where id = ${id}`;
        await sql`insert into user_status_changes (user_id, from_status, to_status, reason, changed_by)
            values (${id}, 'active', 'suspended', '', ${id})`;
      }),
    [/^players: .* suspended in Users, active in Promotions$/],
    true,
  ],
  [
    "a verification that Promotions has not heard of",
    ({ id }) =>
      inUsers((sql) => sql`update users set verified = true, verification_changed_at = now() where id = ${id}`),
    [/^players: .* not verified in Promotions$/],
    true,
  ],
  [
    "another time of registration in Promotions",
    ({ id }) =>
      inPromotions(
        (sql) => sql`update players set registered_at = registered_at + interval '1 millisecond' where id = ${id}`,
      ),
    [/^players: .* registered at .*, by Promotions .*$/],
  ],
  [
    "a player without the welcome bonus of their registration, and given another one by the system",
    async ({ id, assignmentId }) => {
      const other = await createPromotion(ctx, newPromotion());
      await inPromotions((sql) => sql`update assignments set promotion_id = ${other.id} where id = ${assignmentId}`);
      await notifications().updateOne({ playerId: id }, { $set: { "content.promotionId": other.id } });
    },
    [
      /^claims and credits: .* has reference promotion:.*, not promotion:.*$/,
      /^welcome bonuses: .* has not the welcome bonus of that time, .*; was given .* by the system, instead of .*$/,
    ],
  ],
  [
    "a player who gave themselves what has no code",
    async ({ id }) => {
      const { id: promotionId } = await createPromotion(ctx, newPromotion());
      await assignPromotion(ctx, { promotionId, playerIds: [id], assignedBy: id });
      await deliver();
    },
    [/^codes: assignment .*: player .* opted in to .*, which has no code$/],
  ],
  [
    "an assignment without a notification",
    ({ id }) => notifications().deleteOne({ playerId: id }),
    [/^notifications: assignment .* 0 notifications of type PROMOTION$/],
    true,
  ],
  [
    "an assignment with two notifications",
    async ({ id }) => {
      const { _id, ...stored } = (await notifications().findOne({ playerId: id, type: "PROMOTION" })) ?? {};
      await notifications().insertOne({ ...stored, _id: newId() as never });
    },
    [/^notifications: assignment .* 2 notifications of type PROMOTION$/],
  ],
  [
    "an assignment with two notifications of one other type",
    async ({ id }) => {
      const { _id, ...stored } = (await notifications().findOne({ playerId: id, type: "PROMOTION" })) ?? {};
      const revoked = { ...stored, type: "PROMOTION_REVOKED" };
      await notifications().insertMany([1, 2].map(() => ({ ...revoked, _id: newId() as never })));
    },
    [/^notifications: assignment .* 2 notifications of type PROMOTION_REVOKED$/],
  ],
  [
    "a player who was told twice that time is running out",
    async ({ id }) => {
      await tellOfDeadline(id, "PROMOTION_EXPIRING");
      await tellOfDeadline(id, "PROMOTION_EXPIRING");
    },
    [/^notifications: assignment .* 2 notifications of type PROMOTION_EXPIRING$/],
  ],
  [
    "a player who was told that what they have claimed has expired",
    ({ id }) => tellOfDeadline(id, "PROMOTION_EXPIRED"),
    [/^notifications: assignment .* told that it has expired, and has not$/],
    true,
  ],
  [
    "an open assignment that nobody marks when its time is over",
    ({ id }) => openAssignment(id, "assigned", -1),
    [/^deadlines: assignment .* assigned, and overdue since /],
    true,
  ],
  [
    "an assignment that was marked before its time",
    ({ id }) => openAssignment(id, "expired", 1),
    [/^deadlines: assignment .* expired at .*, before its deadline /],
    true,
  ],
  [
    "a notification without an assignment",
    async ({ id }) => storeNotifications(documents, received([promoted(id)])),
    [/^notifications: notification .* has no assignment of promotion .*$/],
    true,
  ],
  [
    "an event that Users does not get rid of",
    ({ id }) => users.db.insert(outbox).values({ topic: "player", key: id, event: {}, headers: {} }),
    [/^outbox of users: row .* for topic player, .* waits since /],
    true,
  ],
  [
    "an event that Promotions does not get rid of",
    ({ id }) => promotions.db.insert(outbox).values({ topic: "notification", key: id, event: {}, headers: {} }),
    [/^outbox of promotions: row .* for topic notification, .* waits since /],
    true,
  ],
];

test.each(plants)("%s is a violation, and its ids are named", async (_what, plant, violations, mayBeUnderWay) => {
  const player = await exactPlayer();
  const names = async (bounds: InvariantBounds) =>
    (await violationsOf(bounds)).filter((text) => text.includes(player.id) || text.includes(player.assignmentId));
  expect(await names(AT_ONCE)).toEqual([]);
  await plant(player);
  expect(await names(AT_ONCE)).toEqual(violations.map((pattern) => expect.stringMatching(pattern)));
  if (mayBeUnderWay) expect(await names(LATER)).toEqual([]);
});

test.each<[string, (sql: Sql, id: string) => Promise<unknown>, RegExp]>([
  [
    "a claim that the cap does not count",
    (sql, id) => sql`update promotion_slots set used = used - 1 where promotion_id = ${id} and used > 0`,
    /2 claims are paid or under way, its slots count [01]$/,
  ],
  [
    "a part of the cap that no claim uses",
    (sql, id) => sql`update promotion_slots set used = used + 1 where promotion_id = ${id} and used = 0 and slot < 3`,
    /2 claims are paid or under way, its slots count [345]$/,
  ],
  [
    "slots that allow more than the cap",
    (sql, id) => sql`update promotion_slots set capacity = capacity + 1 where promotion_id = ${id} and slot = 0`,
    /may have 20 claims, its slots allow 21$/,
  ],
  [
    "a cap below what is claimed",
    (sql, id) => sql`with cap as (update promotions set max_claims = 1 where id = ${id} returning id)
      update promotion_slots set capacity = case slot when 0 then 1 else 0 end, used = case slot when 0 then 2 else 0 end
      from cap where promotion_id = cap.id`,
    /2 claims are paid or under way, 1 are allowed$/,
  ],
  [
    "a cap that was taken away by hand",
    (sql, id) => sql`update promotions set max_claims = null where id = ${id}`,
    /has the slots of a cap, and no cap$/,
  ],
])("%s is a violation, and the promotion is named", async (_what, change, violation) => {
  const { id } = await createPromotion(ctx, newPromotion({ maxClaims: 20 }));
  const players = [await exactPlayer(), await exactPlayer()];
  await assignPromotion(ctx, { promotionId: id, playerIds: players.map((player) => player.id), assignedBy: newId() });
  await deliver();
  for (const player of players) await claimPromotion(ctx, { playerId: player.id, promotionId: id });
  const named = async () => (await violationsOf(AT_ONCE)).filter((text) => text.includes(id));
  expect(await named()).toEqual([]);
  await inPromotions(async (sql) => {
    await sql`alter table promotion_slots drop constraint if exists used_is_within_capacity`;
    await change(sql, id);
  });
  expect(await named()).toEqual([expect.stringMatching(violation)]);
});

test.each<[string, (id: string) => Promise<unknown>, RegExp]>([
  [
    "a claim that the figures don't count",
    (id) =>
      inPromotions((sql) => sql`update promotion_statistics set claimed = claimed - 1 where promotion_id = ${id}`),
    /its figures have 1 claimed, its assignments 2; its figures say that 2000 was paid, the ledger 4000$/,
  ],
  [
    "an assignment that vanished behind the figures",
    (id) => inPromotions((sql) => sql`delete from assignments where promotion_id = ${id} and status = 'assigned'`),
    /its figures have 3 assigned, its assignments 2; its figures have 1 open, its assignments 0; 1 quarters of an hour/,
  ],
  [
    "a quarter of an hour with a claim of another one",
    (id) =>
      inPromotions(
        (sql) => sql`update promotion_quarters set quarter = quarter - interval '1 hour' where promotion_id = ${id}`,
      ),
    /: [2-4] quarters of an hour are counted wrong$/,
  ],
  [
    "a cent more in the ledger than the figures say",
    (id) =>
      inUsers(
        (sql) => sql`update transactions set amount_minor = amount_minor + 1
          where id = (select id from transactions where reference = ${`promotion:${id}`} limit 1)`,
      ),
    /: its figures say that 4000 was paid, the ledger 4001$/,
  ],
  [
    "a credit that was taken back, and no assignment that was",
    (id) =>
      inUsers(
        (sql) => sql`update transactions set reverses = idempotency_key, type = 'DEBIT'
          where id = (select id from transactions where reference = ${`promotion:${id}`} limit 1)`,
      ),
    /: its figures say that 4000 was paid, the ledger 2000$/,
  ],
  [
    "figures of no promotion",
    (id) =>
      inPromotions(async (sql) => {
        await sql`update promotion_statistics set promotion_id = ${newId()} where promotion_id = ${id}`;
      }),
    /its figures have 0 assigned, its assignments 3; /,
  ],
])("%s: the promotion is named", async (_what, plant, violation) => {
  const { id } = await createPromotion(ctx, newPromotion());
  const players = [await exactPlayer(), await exactPlayer(), await exactPlayer()];
  await assignPromotion(ctx, { promotionId: id, playerIds: players.map((player) => player.id), assignedBy: newId() });
  await deliver();
  for (const player of players.slice(0, 2)) await claimPromotion(ctx, { playerId: player.id, promotionId: id });
  const named = async () =>
    (await violationsOf(AT_ONCE)).filter((text) => text.startsWith("statistics: ") && text.includes(id));
  expect(await named()).toEqual([]); // nothing is folded yet
  expect(await foldChanges(ctx, { changesMax: 1_000_000 })).toBeGreaterThan(0);
  expect(await named()).toEqual([]);
  await plant(id);
  expect(await named()).toEqual([expect.stringMatching(violation)]);
});

test("a notification that is as old as the document database forgets may be gone", async () => {
  const { id, assignmentId } = await exactPlayer();
  await notifications().deleteOne({ playerId: id });
  const age = (days: number) =>
    inPromotions(
      (sql) => sql`update assignments set assigned_at = now() - ${days} * interval '1 day' where id = ${assignmentId}`,
    );
  const names = async () => (await violationsOf(AT_ONCE)).filter((text) => text.includes(assignmentId));
  await age(88);
  expect(await names()).toEqual([expect.stringContaining("0 notifications of type PROMOTION")]);
  await age(90);
  expect(await names()).toEqual([]);
});

test("the bonus that is expected is the one that registering gives, whatever the history of the bonuses", async () => {
  const database = await createTestDatabase("promotions");
  try {
    const own = { ...ctx, db: database.db };
    const start = Date.now() - 1_000_000;
    const at = (seconds: number) => new Date(start + Math.round(seconds * 1_000));
    const text = (seconds: number) => at(seconds).toISOString();
    const history: [from: number, to: number, steps: [second: number, status: string][]][] = [
      [
        0,
        100,
        [
          [0, "draft"],
          [10, "active"],
          [20, "paused"],
          [30, "active"],
          [30, "paused"],
          [40, "active"],
          [50, "ended"],
        ],
      ],
      // Begins in the past of its creation, and while the one before has not ended on the clock: two are active.
      [
        45,
        200,
        [
          [48, "active"],
          [120, "paused"],
          [130, "active"],
        ],
      ],
      [200, 300, [[150, "active"]]],
      [
        300,
        400,
        [
          [310, "draft"],
          [320, "ended"],
        ],
      ],
    ];
    for (const [from, to, steps] of history) {
      const [made] = await database.client`
        insert into promotions (title, description, type, status, amount_minor, currency, starts_at, ends_at, created_by)
        values ('', '', 'WELCOME_BONUS', 'ended', 1, 'EUR', ${text(from)}, ${text(to)}, ${newId()}) returning id`;
      for (const [second, status] of steps) {
        await database.client`insert into promotion_status_changes (promotion_id, status, changed_by, changed_at)
          values (${made?.id}, ${status}, ${newId()}, ${text(second)})`;
      }
    }
    const moments = history.flatMap(([from, to, steps]) => [from, to, ...steps.map(([second]) => second)]);
    const events = [...new Set(moments)].flatMap((second) =>
      [-0.001, 0, 0.001, 5].map((offset) => ({ event: registered(newId(), at(second + offset)) })),
    );
    const assigned = await recordPlayerEvents(own, events);
    expect(assigned).toBeGreaterThan(20);
    expect(assigned).toBeLessThan(events.length);
    const check = async () => {
      const handle = connectReadOnly(database.url);
      const one = await report("", (tally) => handle.client.begin((sql) => checkWelcomeBonuses(sql, tally)));
      await handle.close();
      return one;
    };
    expect(await check()).toMatchObject({ checked: events.length, violations: 0 });
    await database.client`delete from assignments`;
    expect(await check()).toMatchObject({ violations: assigned });
  } finally {
    await database.drop();
  }
});

test("dead letters that nobody has settled are named with partition, offset and reason", async () => {
  const topic = deadLetterTopic(await createTestTopic("letters", 2));
  const check = () => report("dead letters", (tally) => checkDeadLetters(kafka, [topic], tally));
  expect(await check()).toMatchObject({ checked: 0, violations: 0, examples: [] });
  await produce(
    topic,
    Array.from({ length: 30 }, () => ({ key: "one", value: "not JSON" })),
  );
  const { checked, violations, examples } = await check();
  expect([checked, violations]).toEqual([30, 30]);
  expect(examples).toHaveLength(10);
  expect(examples[2]).toMatch(new RegExp(`^${topic}/[01]/2: no reason given$`));
  const partition = Number(examples[0]?.split("/")[1]);
  const producer = createEventProducer(kafka);
  await producer.send([toSettlement({ topic, partition, offset: "2" }, "discarded")]);
  await producer.close();
  expect(await check()).toMatchObject({ checked: 30, violations: 29 });
});

test("a group that has not handled what is older than the bound is named; what is younger is its lag", async () => {
  const topic = await createTestTopic("lag", 1);
  const group = { groupId: `group-${newId()}`, topic };
  const admin = kafka.admin();
  await admin.connect();
  const check = ({ lagBoundMs }: InvariantBounds) =>
    report("consumer lag", (tally) => checkConsumerLag(admin, [group], { lagBoundMs }, tally));
  expect(await check(AT_ONCE)).toMatchObject({ checked: 1, violations: 0, note: `behind: ${group.groupId} 0` });
  await produce(
    topic,
    Array.from({ length: 3 }, () => ({ key: "one", value: "{}" })),
  );
  expect(await check(LATER)).toMatchObject({ violations: 0, note: `behind: ${group.groupId} 3` });
  expect(await check(AT_ONCE)).toMatchObject({
    violations: 1,
    examples: [`group ${group.groupId}, topic ${topic}, partition 0: handled up to 0, due up to 3`],
  });
  await admin.setOffsets({ ...group, partitions: [{ partition: 0, offset: "3" }] });
  expect(await check(AT_ONCE)).toMatchObject({ violations: 0, note: `behind: ${group.groupId} 0` });
  await admin.disconnect();
});

test("PostgreSQL itself refuses every write of the check", async () => {
  const handle = connectReadOnly(users.url);
  await expect(handle.client`update users set balance_minor = 0`).rejects.toMatchObject({ code: "25006" });
  await handle.close();
});

test("what leads nowhere is named, without its password, and nothing is proved", async () => {
  const wrong: [Partial<InvariantConnections>, message: string][] = [
    [
      { usersDatabaseUrl: "postgres://nobody:secret@127.0.0.1:1/users" },
      "PostgreSQL, database users, can't be reached",
    ],
    [{ promotionsDatabaseUrl: "postgres://nobody:secret@127.0.0.1:1/x" }, "PostgreSQL, database promotions, can't be"],
    [{ mongodbUrl: "mongodb://nobody:secret@127.0.0.1:1/x" }, "MongoDB can't be reached"],
    [{ kafkaBrokers: ["127.0.0.1:1"] }, "Kafka can't be reached"],
  ];
  await Promise.all(
    wrong.map(async ([url, message]) => {
      const failed = checkInvariants({ ...connections, ...url }, LATER);
      await expect(failed).rejects.toThrow(message);
      await expect(failed).rejects.not.toThrow("secret");
    }),
  );
});
