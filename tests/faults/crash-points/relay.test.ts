import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createEventProducer } from "../../../lib/kafka/producer.ts";
import { runRelay } from "../../../lib/outbox/relay.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { createTestDatabase } from "../../support/database.ts";
import { type Consumed, collect, createTestTopic, kafka, silentLog } from "../../support/kafka.ts";
import { servers } from "../../support/servers.ts";
import { until } from "../../support/until.ts";
import { dieTimes } from "./victim.ts";
import type { CrashPoint } from "./victims/steps.ts";

const EVENTS = 100;
const PLAYERS = 20;
/** Characters of an event that fill three sends with EVENTS: the producer puts up to 512 KiB into one. */
const LARGE = 12_500;
const EVENTS_PER_SEND = 41;

let topic: string;
let published: Awaited<ReturnType<typeof collect>>;
beforeAll(async () => {
  topic = await createTestTopic("crash-relay");
  published = await collect(topic);
});
afterAll(() => published.stop());

interface Case {
  dieAt: CrashPoint;
  deaths: number;
  eventLength?: number;
  /** Events that the victims leave in the outbox. */
  left: number;
  /** How often event `n` is in Kafka in the end. */
  copies: (n: number) => number;
}

test.concurrent.each<[string, Case]>([
  ["outbox commit | publish", { dieAt: { step: "send" }, deaths: 1, left: EVENTS, copies: () => 1 }],
  ["outbox commit | publish, three times", { dieAt: { step: "send" }, deaths: 3, left: EVENTS, copies: () => 1 }],
  [
    "publish | publish of one batch",
    {
      dieAt: { step: "send", nth: 2 },
      deaths: 1,
      eventLength: LARGE,
      left: EVENTS,
      copies: (n) => (n < EVENTS_PER_SEND ? 2 : 1),
    },
  ],
  ["publish | delete", { dieAt: { step: "delete outbox" }, deaths: 1, left: EVENTS, copies: () => 2 }],
  ["publish | delete, three times", { dieAt: { step: "delete outbox" }, deaths: 3, left: EVENTS, copies: () => 4 }],
  ["delete | commit", { dieAt: { step: "commit" }, deaths: 1, left: EVENTS, copies: () => 2 }],
  ["commit | next batch", { dieAt: { step: "committed" }, deaths: 1, left: 0, copies: () => 1 }],
])(
  "a relay dies at %s: every event is published, in order per player, again only if it was acknowledged",
  async (_, { dieAt, deaths, eventLength, left, copies }) => {
    const database = await createTestDatabase("promotions");
    const producer = createEventProducer(kafka);
    const own = newId();
    const rows = Array.from({ length: EVENTS + PLAYERS }, (_, n) => ({
      topic,
      key: `${own} ${n % PLAYERS}`,
      event: { n, text: "x".repeat(eventLength ?? 0) },
      headers: {},
    }));
    const queued = () => database.db.select({ id: outbox.id }).from(outbox);
    try {
      await database.db.insert(outbox).values(rows.slice(0, EVENTS));
      const input = { databaseUrl: database.url, kafkaBrokers: servers.kafkaBrokers };
      await dieTimes(deaths, "relay", input, dieAt);
      expect(await queued()).toHaveLength(left);

      // One more of each player: when it is read, everything before it has been.
      await database.db.insert(outbox).values(rows.slice(EVENTS));
      const relay = runRelay(database, producer, silentLog, () => {});
      await until("the outbox is empty", async () => (await queued()).length === 0);
      await relay.stop();
      const isSeen = (n: number) => published.messages.some((message) => isOwn(message) && numberOf(message) === n);
      const isOwn = ({ key }: Consumed) => key?.startsWith(own) === true;
      await until("all have been read", () => rows.slice(EVENTS).every(({ event }) => isSeen(event.n)));
      const messages = published.messages.filter(isOwn);
      const seen = messages.map(numberOf);
      expect(rows.map(({ event }) => seen.filter((n) => n === event.n).length)).toEqual(
        rows.map(({ event }) => (event.n < EVENTS ? copies(event.n) : 1)),
      );
      for (const ofPlayer of Map.groupBy(messages, ({ key }) => key).values()) {
        const firsts = [...new Set(ofPlayer.map(numberOf))];
        expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
      }
    } finally {
      await producer.close();
      await database.drop();
    }
  },
);

const numberOf = ({ value }: Consumed): number => JSON.parse(value).n;
