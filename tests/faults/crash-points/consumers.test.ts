import { inArray } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { playerOfChannel } from "../../../domain/notifications/channels.ts";
import { notificationsOf } from "../../../domain/notifications/context.ts";
import { createPromotion } from "../../../domain/promotions/promotions/create-promotion.ts";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import type { Event } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import type { Kafka } from "../../../lib/kafka/client.ts";
import type { RunningConsumer } from "../../../lib/kafka/consumer/run-consumer.ts";
import { deadLetterTopic } from "../../../lib/kafka/dead-letter.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { awaitRedis, connectRedis, type Redis } from "../../../lib/redis.ts";
import { runNotifier } from "../../../workers/notifier/notifier.ts";
import { createWaker, type Waker } from "../../../workers/notifier/wake-publisher.ts";
import { runWelcomeBonus } from "../../../workers/welcome-bonus/welcome-bonus.ts";
import { createTestDatabase } from "../../support/database.ts";
import { collect, createTestTopics, kafka, metrics, produce, silentLog } from "../../support/kafka.ts";
import { createNotificationsContext, promoted } from "../../support/notifications.ts";
import { newPromotion, registered } from "../../support/promotions.ts";
import { servers } from "../../support/servers.ts";
import { until } from "../../support/until.ts";
import { countOf, die, dieTimes } from "./victim.ts";
import type { CrashPoint, Step } from "./victims/steps.ts";
import { watchKafka } from "./victims/watch-kafka.ts";

interface Case {
  dieAt: CrashPoint;
  deaths: number;
  /** Events whose effect the victims leave behind. */
  left: number;
  /** How often each of them is delivered to the victims and their successor together. */
  deliveries: number;
}

const REGISTRATIONS = 20;
const WELCOME_BONUS_CASES: [string, Case][] = [
  ["delivery | effect", { dieAt: { step: "begin" }, deaths: 1, left: 0, deliveries: 2 }],
  ["assignment | event", { dieAt: { step: "insert outbox", nth: 10 }, deaths: 1, left: 0, deliveries: 2 }],
  ["event | commit", { dieAt: { step: "commit" }, deaths: 1, left: 0, deliveries: 2 }],
  ["effect | offset commit", { dieAt: { step: "commit offset" }, deaths: 1, left: REGISTRATIONS, deliveries: 2 }],
  [
    "effect | offset commit, three times",
    { dieAt: { step: "commit offset" }, deaths: 3, left: REGISTRATIONS, deliveries: 4 },
  ],
  [
    "offset commit | next batch",
    { dieAt: { step: "offset committed" }, deaths: 1, left: REGISTRATIONS, deliveries: 1 },
  ],
];

/** Two inserts of the notifier, which puts 100 documents into one. */
const NOTIFICATIONS = 150;
const DOCUMENTS_PER_INSERT = 100;
const PLAYERS = 3;
const NOTIFIER_CASES: [string, Case & { isWoken: boolean }][] = [
  ["delivery | store", { dieAt: { step: "store" }, deaths: 1, left: 0, deliveries: 2, isWoken: false }],
  [
    "store | store of one batch",
    { dieAt: { step: "store", nth: 2 }, deaths: 1, left: DOCUMENTS_PER_INSERT, deliveries: 2, isWoken: false },
  ],
  ["store | wake-up", { dieAt: { step: "wake" }, deaths: 1, left: NOTIFICATIONS, deliveries: 2, isWoken: false }],
  [
    "store | wake-up, three times",
    { dieAt: { step: "wake" }, deaths: 3, left: NOTIFICATIONS, deliveries: 4, isWoken: false },
  ],
  [
    "wake-up | offset commit",
    { dieAt: { step: "commit offset" }, deaths: 1, left: NOTIFICATIONS, deliveries: 2, isWoken: true },
  ],
  [
    "offset commit | next batch",
    { dieAt: { step: "offset committed" }, deaths: 1, left: NOTIFICATIONS, deliveries: 1, isWoken: true },
  ],
];

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let notifications: Awaited<ReturnType<typeof createNotificationsContext>>;
let redis: Redis;
let waker: Waker;
let edge: Redis;
/** Players whose edges were woken, as often as they were. */
const woken: string[] = [];
/** One partition each, so that a victim has all events at once. */
let topics: string[];
beforeAll(async () => {
  redis = connectRedis(servers.redisUrl, silentLog);
  waker = createWaker(redis, silentLog);
  edge = connectRedis(servers.redisUrl, silentLog, "subscriber");
  edge.on("pmessage", (_pattern, channel) => woken.push(playerOfChannel(channel) ?? ""));
  [database, notifications, topics] = await Promise.all([
    createTestDatabase("promotions"),
    createNotificationsContext(),
    createTestTopics("crash-consumer", WELCOME_BONUS_CASES.length + NOTIFIER_CASES.length + 1, 1),
    edge.psubscribe("notification:*"),
    awaitRedis(redis),
  ]);
  await createPromotion(
    { db: database.db, currency: "EUR", log: silentLog },
    newPromotion({ type: "WELCOME_BONUS", startsAt: new Date(Date.now() - 1_000) }),
  );
});
afterAll(async () => {
  edge.disconnect();
  waker.close();
  redis.disconnect();
  await Promise.all([database.drop(), notifications.stop()]);
});

const groupOf = (topic: string) => ({ groupId: `group-of-${topic}`, topic });
const takeTopic = (): string => topics.pop() ?? "there is no topic left";
const send = (topic: string, events: Event[]) =>
  produce(
    topic,
    events.map((event) => ({ key: event.subject, value: JSON.stringify(event) })),
  );

/** Offsets as often as they were delivered. */
const deliveredIn = (steps: Step[]) =>
  steps.filter(({ step }) => step === "delivered").flatMap(({ detail }) => detail as number[]);

/**
 * Runs the successor that nothing kills until it has committed everything.
 *
 * @param run starts it
 * @param offset that it commits last
 * @returns the steps that it reached
 */
async function succeed(run: (kafka: Kafka) => RunningConsumer, offset: number): Promise<Step[]> {
  const steps: Step[] = [];
  const consumer = run(watchKafka(kafka, (step, detail) => void steps.push({ step, detail })));
  await until(
    "everything is committed",
    () => steps.some(({ step, detail }) => step === "offset committed" && detail === offset),
    { timeoutMs: 40_000 },
  );
  await consumer.stop();
  return steps;
}

const runOwnWelcomeBonus = (topic: string) => (kafka: Kafka) =>
  runWelcomeBonus({ database, kafka, group: groupOf(topic), log: silentLog, metrics });
const runOwnNotifier = (topic: string) => (kafka: Kafka) =>
  runNotifier({ mongo: notifications, waker, kafka, group: groupOf(topic), log: silentLog, metrics });

function expectDeliveries(steps: Step[], events: number, deliveries: number): void {
  const delivered = deliveredIn(steps);
  expect(Array.from({ length: events + 1 }, (_, n) => delivered.filter((offset) => offset === n).length)).toEqual(
    Array.from({ length: events + 1 }, (_, n) => (n === events ? 1 : deliveries)),
  );
}

const rowsOf = (playerIds: string[]) =>
  database.db.select({ key: assignments.playerId }).from(assignments).where(inArray(assignments.playerId, playerIds));
const announcedOf = (playerIds: string[]) =>
  database.db.select({ key: outbox.key }).from(outbox).where(inArray(outbox.key, playerIds));

test.concurrent.each(WELCOME_BONUS_CASES)(
  "welcome-bonus dies at %s: each player has the bonus, and its event, once",
  async (_, { dieAt, deaths, left, deliveries }) => {
    const topic = takeTopic();
    const events = Array.from({ length: REGISTRATIONS + 1 }, () => registered());
    const playerIds = events.map(({ subject }) => subject);
    const input = { databaseUrl: database.url, kafkaBrokers: servers.kafkaBrokers, group: groupOf(topic) };
    await send(topic, events.slice(0, REGISTRATIONS));
    const told = await dieTimes(deaths, "welcome-bonus", input, dieAt);
    expect(await rowsOf(playerIds)).toHaveLength(left);
    expect(await announcedOf(playerIds)).toHaveLength(left);

    await send(topic, events.slice(REGISTRATIONS));
    told.push(...(await succeed(runOwnWelcomeBonus(topic), events.length)));
    for (const rows of [await rowsOf(playerIds), await announcedOf(playerIds)]) {
      expect(rows.map(({ key }) => key).sort()).toEqual(playerIds.toSorted());
    }
    expectDeliveries(told, REGISTRATIONS, deliveries);
  },
);

test.concurrent.each(NOTIFIER_CASES)(
  "notifier dies at %s: each notification is stored once, in order, and its player woken",
  async (_, { dieAt, deaths, left, deliveries, isWoken }) => {
    const topic = takeTopic();
    const playerIds = Array.from({ length: PLAYERS }, newId);
    const events = Array.from({ length: NOTIFICATIONS + 1 }, (_, n) => promoted(playerIds[n % PLAYERS] as string));
    const stored = async () => {
      const found = await notificationsOf(notifications)
        .find({ playerId: { $in: playerIds } })
        .sort({ seq: 1 })
        .toArray();
      return found.map(({ _id }) => _id);
    };
    const isHeard = (playerId: string) => woken.includes(playerId);
    const { mongodbUrl, redisUrl, kafkaBrokers } = servers;
    const input = { mongodbUrl: databaseOf(mongodbUrl), redisUrl, kafkaBrokers, group: groupOf(topic) };
    await send(topic, events.slice(0, NOTIFICATIONS));
    const told = await dieTimes(deaths, "notifier", input, dieAt);
    const ids = events.map(({ id }) => id);
    expect(await stored()).toEqual(ids.slice(0, left));
    if (isWoken) await until("the edges heard", () => playerIds.every(isHeard));
    else expect(playerIds.some(isHeard)).toBe(false);

    await send(topic, events.slice(NOTIFICATIONS));
    told.push(...(await succeed(runOwnNotifier(topic), events.length)));
    await until("the edges heard", () => playerIds.every(isHeard));
    expect(await stored()).toEqual(ids);
    expectDeliveries(told, NOTIFICATIONS, deliveries);
  },
);

const databaseOf = (mongodbUrl: string) => {
  const url = new URL(mongodbUrl);
  url.pathname = `/${notifications.db.databaseName}`;
  return url.href;
};

test.concurrent("a consumer dies at dead letter | offset commit: the letter comes again, its neighbours take effect once", async () => {
  const topic = takeTopic();
  const input = { databaseUrl: database.url, kafkaBrokers: servers.kafkaBrokers, group: groupOf(topic) };
  const [before, after] = [registered(), registered()];
  const playerIds = [before.subject, after.subject];
  await send(topic, [before]);
  await produce(topic, [{ key: "poison", value: "{not json" }]);
  await send(topic, [after]);
  const told = await die("welcome-bonus", input, { step: "sent" });
  told.push(...(await succeed(runOwnWelcomeBonus(topic), 3)));
  expect(countOf(told, "sent")).toBe(2);
  const letters = await collect(deadLetterTopic(topic));
  await until("both letters are read", () => letters.messages.length >= 2);
  await letters.stop();
  expect(letters.messages.map(({ value, headers }) => [value, headers["dlt-offset"]])).toEqual([
    ["{not json", "1"],
    ["{not json", "1"],
  ]);
  expect((await rowsOf(playerIds)).map(({ key }) => key).sort()).toEqual(playerIds.toSorted());
});
