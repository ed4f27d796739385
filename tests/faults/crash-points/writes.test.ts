import { and, eq, inArray, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assignPromotion } from "../../../domain/promotions/assignments/assign-promotion.ts";
import { recordPlayerEvents } from "../../../domain/promotions/players/record-player-events.ts";
import { createPromotion } from "../../../domain/promotions/promotions/create-promotion.ts";
import { updatePromotion } from "../../../domain/promotions/promotions/update-promotion.ts";
import { registerPlayer } from "../../../domain/users/accounts/register-player.ts";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import { mails, users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { CONSUMER_GROUPS } from "../../../lib/kafka/groups.ts";
import { createLagReader } from "../../../lib/kafka/lag.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { runAssignmentExpirer } from "../../../workers/assignment-expirer/assignment-expirer.ts";
import { createTestDatabase } from "../../support/database.ts";
import { kafka, silentLog } from "../../support/kafka.ts";
import { newPromotion, registered } from "../../support/promotions.ts";
import { servers } from "../../support/servers.ts";
import { until } from "../../support/until.ts";
import { freshEmail, PASSWORD } from "../../support/users-service.ts";
import { die, dieTimes, untilForgotten } from "./victim.ts";
import type { CrashPoint } from "./victims/steps.ts";

const PLAYERS = 20;

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;
let usersDatabase: TestDatabase;
let promotionsDatabase: TestDatabase;
beforeAll(async () => {
  [usersDatabase, promotionsDatabase] = await Promise.all([
    createTestDatabase("users"),
    createTestDatabase("promotions"),
  ]);
});
afterAll(() => Promise.all([usersDatabase.drop(), promotionsDatabase.drop()]));

/** The keys of the events that wait in an outbox. */
async function announced({ db }: TestDatabase, ids: string[]): Promise<string[]> {
  const rows = await db.select({ key: outbox.key }).from(outbox).where(inArray(outbox.key, ids));
  return rows.map(({ key }) => key).sort();
}

/** Whose address is to be verified by a mail. */
async function mailed({ db }: TestDatabase, ids: string[]): Promise<(string | null)[]> {
  const rows = await db.select({ userId: mails.userId }).from(mails).where(inArray(mails.userId, ids));
  return rows.map(({ userId }) => userId).sort();
}

/** Players who are announced and do not exist. One statement, so that it sees a registration whole or not at all. */
const ghosts = () =>
  usersDatabase.db
    .select({ key: outbox.key })
    .from(outbox)
    .where(sql`not exists (select from ${users} where ${users.id}::text = ${outbox.key})`);

async function playersWith(emails: string[]): Promise<string[]> {
  const rows = await usersDatabase.db.select({ id: users.id }).from(users).where(inArray(users.email, emails));
  return rows.map(({ id }) => id).sort();
}

test.each<[string, CrashPoint, { deaths: number; registeredMin: number }]>([
  ["player | event", { step: "insert outbox", nth: 7 }, { deaths: 1, registeredMin: 0 }],
  ["event | mail", { step: "insert mails", nth: 7 }, { deaths: 1, registeredMin: 0 }],
  ["mail | commit", { step: "commit", nth: 7 }, { deaths: 1, registeredMin: 0 }],
  ["mail | commit, three times", { step: "commit", nth: 7 }, { deaths: 3, registeredMin: 0 }],
  ["commit | answer", { step: "committed", nth: 7 }, { deaths: 1, registeredMin: 7 }],
])(
  "registrations die at %s: who is registered is announced and mailed, once, and the others can register",
  async (_, dieAt, { deaths, registeredMin }) => {
    const emails = Array.from({ length: PLAYERS }, () => freshEmail());
    await dieTimes(deaths, "register", { databaseUrl: usersDatabase.url, emails, password: PASSWORD }, dieAt);
    await untilForgotten(usersDatabase.db);
    const survivors = await playersWith(emails);
    expect(survivors.length).toBeGreaterThanOrEqual(registeredMin);
    expect(survivors.length).toBeLessThan(PLAYERS);
    expect(await announced(usersDatabase, survivors)).toEqual(survivors);
    expect(await mailed(usersDatabase, survivors)).toEqual(survivors);
    expect(await ghosts()).toEqual([]);

    const ctx = { db: usersDatabase.db, currency: "EUR" };
    const outcomes = await Promise.allSettled(
      emails.map((email) => registerPlayer(ctx, { email, password: PASSWORD, traceparent: undefined })),
    );
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    expect(refusals).toEqual(survivors.map(() => "email_taken"));
    const players = await playersWith(emails);
    expect(players).toHaveLength(PLAYERS);
    expect(await announced(usersDatabase, players)).toEqual(players);
    expect(await mailed(usersDatabase, players)).toEqual(players);
  },
);

test.each<[string, CrashPoint, { left: number }]>([
  ["assignments | events", { step: "insert outbox" }, { left: 0 }],
  ["events | audit", { step: "insert audit_entries" }, { left: 0 }],
  ["events | commit", { step: "commit" }, { left: 0 }],
  ["commit | answer", { step: "committed" }, { left: PLAYERS }],
])(
  "an assignment to many dies at %s: all have it and are told once, or none, and it can be repeated",
  async (_, dieAt, { left }) => {
    const { db, url } = promotionsDatabase;
    const ctx = { db, currency: "EUR", log: silentLog };
    const playerIds = Array.from({ length: PLAYERS }, newId).sort();
    const registrations = playerIds.map((id) => ({ event: registered(id) }));
    await recordPlayerEvents(ctx, registrations);
    const promotion = await createPromotion(ctx, newPromotion());
    const input = { promotionId: promotion.id, playerIds, assignedBy: newId() };
    const having = async () => {
      const rows = await db.select().from(assignments).where(eq(assignments.promotionId, promotion.id));
      return rows.map(({ playerId }) => playerId).sort();
    };
    await die("assign", { databaseUrl: url, ...input }, dieAt);
    expect(await having()).toHaveLength(left);
    expect(await announced(promotionsDatabase, playerIds)).toHaveLength(left);

    const repeated = { assigned: PLAYERS - left, alreadyAssigned: left, rejected: [] };
    expect(await assignPromotion(ctx, input)).toEqual(repeated);
    expect(await having()).toEqual(playerIds);
    expect(await announced(promotionsDatabase, playerIds)).toEqual(playerIds);
  },
);

/** More than one batch of the expirer. */
const DUE = 700;

test.each<[string, CrashPoint, { deaths: number; left: number }]>([
  ["marks | events", { step: "insert outbox" }, { deaths: 1, left: 0 }],
  ["events | commit", { step: "commit" }, { deaths: 3, left: 0 }],
  ["commit | next batch", { step: "committed" }, { deaths: 1, left: 500 }],
  ["events | commit of the second batch", { step: "commit", nth: 2 }, { deaths: 1, left: 500 }],
])(
  "the expirer dies at %s: what is marked is announced, once, and the others are by its successor",
  async (_, dieAt, { deaths, left }) => {
    // Of its own: nothing empties this outbox, and what is in it would throttle the next expirer.
    const database = await createTestDatabase("promotions");
    try {
      const { db, url } = database;
      const ctx = { db, currency: "EUR", log: silentLog };
      const { id } = await createPromotion(ctx, newPromotion());
      await db.insert(assignments).values(Array.from({ length: DUE }, () => ({ playerId: newId(), promotionId: id })));
      await updatePromotion(ctx, { id, changedBy: newId(), changes: { status: "ended" } });
      const expired = async () => {
        const isExpired = and(eq(assignments.promotionId, id), eq(assignments.status, "expired"));
        const rows = await db.select({ playerId: assignments.playerId }).from(assignments).where(isExpired);
        return rows.map(({ playerId }) => playerId).sort();
      };
      const told: string[] = [];
      /** As the relay does. */
      const publish = async () => {
        const rows = await db.delete(outbox).where(eq(outbox.topic, "notification")).returning({ key: outbox.key });
        told.push(...rows.map(({ key }) => key));
        return rows.length;
      };
      const publishing = setInterval(() => void publish().catch(() => {}), 20);
      try {
        await dieTimes(deaths, "expirer", { databaseUrl: url, kafkaBrokers: servers.kafkaBrokers }, dieAt);
        await untilForgotten(db);
        await publish();
        expect(await expired()).toHaveLength(left);
        const lag = createLagReader(kafka, CONSUMER_GROUPS.notifier);
        const expirer = runAssignmentExpirer({ db, log: silentLog }, lag.read, { noticeHours: 24, intervalMs: 50 });
        await until("all are marked", async () => (await expired()).length === DUE);
        await expirer.stop();
        await lag.close();
        await until("all are told", async () => (await publish()) === 0 && told.length >= DUE);
        expect(told.toSorted()).toEqual(await expired());
      } finally {
        clearInterval(publishing);
      }
    } finally {
      await database.drop();
    }
  },
);
