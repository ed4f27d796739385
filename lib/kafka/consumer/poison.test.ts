import { afterAll, afterEach, beforeAll, describe, expect, type TestContext, test } from "vitest";
import type { z } from "zod";
import { recordPlayerEvents } from "../../../domain/promotions/players/record-player-events.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { createTestTopic, kafka, metrics, produce, silentLog } from "../../../tests/support/kafka.ts";
import { until } from "../../../tests/support/until.ts";
import { newEvent, notificationEvent, playerEvent } from "../../events.ts";
import { newId } from "../../ids.ts";
import { isPostgresUnavailable } from "../../postgres.ts";
import { readHeaders } from "../dead-letter.ts";
import { letPass } from "../let-pass.ts";
import { createEventProducer } from "../producer.ts";
import { scanTopic } from "../scan-topic.ts";
import { type ConsumerOptions, type RunningConsumer, runConsumer } from "./run-consumer.ts";

/** What a neighbour of poisoned messages may be late by, in milliseconds. */
const DELAY_MAX_MS = 5_000;
/** Measured again where other tests had the processor meanwhile. */
const MEASURED = { retry: 2 };
/** The largest value that the brokers take: 1 MiB and 12 bytes for key, value, headers and what surrounds them. */
const HUGE_BYTES = 1024 * 1024 - 200;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
});
afterAll(() => database.drop());

const running: RunningConsumer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
});

/** Runs a consumer and notes what it handled, and how long after the event. */
function consume<S extends z.ZodType<{ id: string; time: string }>>(
  topic: string,
  schema: S,
  options: Pick<ConsumerOptions<S>, "handle"> & Partial<ConsumerOptions<S>>,
) {
  const handled: { id: string; delayMs: number }[] = [];
  const consumer = runConsumer({
    kafka,
    groupId: `group-of-${topic}`,
    topic,
    schema,
    isUnavailable: isPostgresUnavailable,
    log: silentLog,
    metrics,
    ...options,
    handle: async (events) => {
      await options.handle(events);
      for (const { event } of events) handled.push({ id: event.id, delayMs: Date.now() - Date.parse(event.time) });
    },
  });
  running.push(consumer);
  const problem = () =>
    consumer.check().then(
      () => "",
      (error: Error) => error.message,
    );
  return { handled, stop: consumer.stop, isMember: () => consumer.check().then(() => true), problem };
}

async function readDeadLetters(topic: string) {
  const letters: { value: string; headers: Record<string, string> }[] = [];
  await scanTopic(kafka, `${topic}.dlt`, (_partition, messages) => {
    for (const message of messages) {
      letters.push({ value: message.value?.toString() ?? "", headers: readHeaders(message) });
    }
  });
  return letters;
}

/** @returns a function that sends at once, so that what is measured is how long messages wait, not how long we connect */
async function connectSender(context: TestContext, topic: string) {
  const producer = createEventProducer(kafka, { topics: [topic] });
  await producer.connect();
  context.onTestFinished(producer.close);
  return (messages: { key: string; value: string | Buffer }[]) =>
    producer.send(messages.map((message) => ({ topic, ...message })));
}

const bury = (topic: string, count: number) =>
  until(`there are ${count} dead letters`, async () => {
    const letters = await readDeadLetters(topic);
    return letters.length >= count && letters;
  });

const changed = (playerId: string) =>
  newEvent("/users", "PLAYER_STATUS_CHANGED", playerId, new Date(), { playerId, status: "suspended" });

const assigned = (playerId: string) => {
  const now = new Date();
  return newEvent("/promotions", "PROMOTION", playerId, now, {
    promotionId: newId(),
    title: "A table by the window",
    description: "For regulars.",
    type: "VIP_PROMOTION",
    amountMinor: 2_000,
    currency: "EUR",
    startsAt: now.toISOString(),
    endsAt: now.toISOString(),
  });
};

describe.each([
  {
    name: "player",
    schema: playerEvent as z.ZodType<{ id: string; time: string }>,
    make: changed,
    // PostgreSQL has no year 0, and says so every time.
    thrower: (playerId: string) => ({ ...changed(playerId), time: "0000-01-01T00:00:00Z" }),
    handle: (events: never[]) => recordPlayerEvents(database, events).then(() => {}),
  },
  {
    name: "notification",
    schema: notificationEvent as z.ZodType<{ id: string; time: string }>,
    make: assigned,
    thrower: (playerId: string) => ({ ...assigned(playerId), source: "/poison" }),
    handle: async (events: { event: { source: string } }[]) => {
      if (events.some(({ event }) => event.source === "/poison")) throw new Error("it can't be stored");
    },
  },
])("topic $name", ({ name, schema, make, thrower, handle }) => {
  test(
    "each kind of poisoned message is dead with its reason, partition and offset; its neighbours are late by less than 5 s",
    MEASURED,
    async (context) => {
      const topic = await createTestTopic(`poison-${name}`);
      const playerId = newId();
      const good = (count: number) => Array.from({ length: count }, () => make(playerId));
      const { handled, isMember } = consume(topic, schema, { handle: handle as never });
      await until("the consumer is there", isMember);
      const send = await connectSender(context, topic);
      const [before, between, after] = [good(2), good(2), good(2)];
      const json = (value: unknown) => ({ key: playerId, value: JSON.stringify(value) });
      const poison = [
        { reason: "not JSON", value: "{not json" },
        { reason: "not JSON", value: Buffer.from([0xff, 0xfe, 0x00, 0x80]) },
        { reason: "data Invalid input", value: JSON.stringify({ ...make(playerId), data: "?" }) },
        {
          reason: "type Invalid discriminator value",
          value: JSON.stringify({ ...make(playerId), type: "PLAYER_ERASED" }),
        },
        { reason: "not JSON", value: "x".repeat(HUGE_BYTES) },
        { reason: "handler failed 5 times", value: JSON.stringify(thrower(playerId)) },
      ];
      const messages = [
        ...before.map(json),
        ...poison.slice(0, 3).map(({ value }) => ({ key: playerId, value })),
        ...between.map(json),
        ...poison.slice(3).map(({ value }) => ({ key: playerId, value })),
        ...after.map(json),
      ];
      await send(messages);

      await until("all good ones are handled", () => handled.length === 6);
      expect(handled.map(({ id }) => id)).toEqual([...before, ...between, ...after].map(({ id }) => id));
      expect(Math.max(...handled.map(({ delayMs }) => delayMs))).toBeLessThan(DELAY_MAX_MS);
      const letters = await bury(topic, poison.length);
      expect(letters).toHaveLength(poison.length);
      const partitions = new Set(letters.map(({ headers }) => headers["dlt-partition"]));
      expect(partitions.size, "one key, one partition").toBe(1);
      const offsets = messages.flatMap(({ value }, offset) =>
        poison.some((bad) => bad.value === value) ? [offset] : [],
      );
      for (const [i, letter] of letters.entries()) {
        expect(letter.value === poison[i]?.value.toString(), `value of ${i}`).toBe(true);
        expect(letter.headers).toMatchObject({
          "dlt-reason": expect.stringContaining(poison[i]?.reason ?? ""),
          "dlt-topic": topic,
          "dlt-partition": expect.stringMatching(/^\d$/),
          "dlt-offset": String(offsets[i]),
          "dlt-group": `group-of-${topic}`,
        });
      }
    },
  );
});

test("the largest message that the brokers take, with headers of its own, is dead like any other", async () => {
  const topic = await createTestTopic("huge");
  const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ key: "k", value: "x".repeat(HUGE_BYTES), headers }] });
  await expect(
    producer.send({ topic, messages: [{ key: "k", value: "x".repeat(HUGE_BYTES + 400) }] }),
  ).rejects.toThrow();
  await producer.disconnect();
  consume(topic, playerEvent, { handle: async () => {} });
  const [letter] = await bury(topic, 1);
  expect(letter?.value.length).toBe(HUGE_BYTES);
  expect(letter?.headers).toMatchObject({ ...headers, "dlt-reason": "not JSON" });
});

test(
  "hundreds that fail for ever, in a row and in several partitions, hold nobody up for 5 s",
  MEASURED,
  async (context) => {
    const topic = await createTestTopic("storm");
    const poisoned = new Set<string>();
    const { handled, isMember } = consume(topic, playerEvent, {
      deadLetterLimit: { runMax: 1_000, deadMax: 1_000, windowMessages: 1_000 },
      handle: async (events) => {
        if (events.some(({ event }) => poisoned.has(event.id))) throw new Error("always");
      },
    });
    await until("the consumer is there", isMember);
    const send = await connectSender(context, topic);
    const batch = Array.from({ length: 9 }, () => newId()).flatMap((playerId) => {
      const events = Array.from({ length: 101 }, () => changed(playerId));
      for (const { id } of events.slice(0, 100)) poisoned.add(id);
      return events.map((event) => ({ key: playerId, value: JSON.stringify(event) }));
    });
    await send(batch);
    await until("the good ones are handled", () => handled.length === 9);
    expect(Math.max(...handled.map(({ delayMs }) => delayMs))).toBeLessThan(DELAY_MAX_MS);
    expect(await bury(topic, 900)).toHaveLength(900);
  },
);

test("what was handled and buried before a stop in the middle of a batch is not done again", async () => {
  const topic = await createTestTopic("interrupted");
  const playerId = newId();
  const events = Array.from({ length: 4 }, () => changed(playerId));
  const failing = events[2]?.id;
  await produce(topic, [
    { key: playerId, value: "not json" },
    ...events.map((event) => ({ key: playerId, value: JSON.stringify(event) })),
  ]);
  let failures = 0;
  const first = consume(topic, playerEvent, {
    handle: async (received) => {
      if (!received.some(({ event }) => event.id === failing)) return;
      failures += 1;
      throw new Error("not here");
    },
  });
  await until("the failing one is being tried alone", () => failures >= 3);
  await first.stop();
  expect(first.handled.map(({ id }) => id)).toEqual(events.slice(0, 2).map(({ id }) => id));
  const second = consume(topic, playerEvent, { handle: async () => {} });
  await until("the successor has the rest", () => second.handled.length >= 2);
  expect(second.handled.map(({ id }) => id)).toEqual(events.slice(2).map(({ id }) => id));
  expect(await readDeadLetters(topic), "only what is no event").toHaveLength(1);
});

describe("a defect that fails every event of a partition", () => {
  const RUN_MAX = 5;
  const deadLetterLimit = { runMax: RUN_MAX, deadMax: 100, windowMessages: 1_000 };

  /** A topic of one partition with so many events of one player, and a consumer with a defect. */
  async function deployDefect(prefix: string, count: number) {
    const topic = await createTestTopic(prefix, 1);
    const playerId = newId();
    const events = Array.from({ length: count }, () => changed(playerId));
    await produce(
      topic,
      events.map((event) => ({ key: playerId, value: JSON.stringify(event) })),
    );
    const state = { isBroken: true };
    const start = () =>
      consume(topic, playerEvent, {
        deadLetterLimit,
        handle: async () => {
          if (state.isBroken) throw new Error("a defect");
        },
      });
    const waits = ({ problem }: ReturnType<typeof start>, offset: number) =>
      until(`it waits at ${offset}`, async () =>
        (await problem()).startsWith(`partition 0 waits: too many dead letters; mend what fails at offset ${offset} `),
      );
    return { topic, ids: events.map(({ id }) => id), state, start, waits };
  }

  test("buries a few, then waits, and says so; when it is mended, the rest is handled in order", async () => {
    const { topic, ids, state, start, waits } = await deployDefect("defect", 30);
    const consumer = start();
    await waits(consumer, RUN_MAX);
    expect(await consumer.problem()).toContain(`npm run dlt -- let-pass ${topic}/0`);
    const gauge = async () =>
      (await metrics.partitionWaiting.get()).values.filter(({ labels }) => labels.topic === topic);
    expect(await gauge()).toMatchObject([{ value: 1, labels: { partition: "0", reason: "dead_letters" } }]);
    expect(await readDeadLetters(topic), "to be looked at meanwhile").toHaveLength(RUN_MAX);
    state.isBroken = false;
    await until("the rest is handled", () => consumer.handled.length >= ids.length - RUN_MAX);
    expect(consumer.handled.map(({ id }) => id)).toEqual(ids.slice(RUN_MAX));
    await until("it is ready again", async () => (await consumer.problem()) === "");
    expect(await gauge()).toEqual([]);
    expect(await readDeadLetters(topic)).toHaveLength(RUN_MAX);
  });

  test("holds up nobody but its partition, though a broker has several of them", async () => {
    const topic = await createTestTopic("neighbours", 6); // on three brokers
    const [bad, good] = [changed(newId()), changed(newId())];
    const send = async (partitions: number[], event: typeof bad, count: number) => {
      const producer = createEventProducer(kafka);
      const value = JSON.stringify(event);
      await producer.send(
        partitions.flatMap((partition) =>
          Array.from({ length: count }, () => ({ topic, partition, key: null, value })),
        ),
      );
      await producer.close();
    };
    await send([0], bad, RUN_MAX + 1);
    const consumer = consume(topic, playerEvent, {
      deadLetterLimit,
      handle: async (events) => {
        if (events.some(({ event }) => event.id === bad.id)) throw new Error("a defect");
      },
    });
    await until("one waits", async () =>
      (await consumer.problem()).startsWith("partition 0 waits: too many dead letters"),
    );
    await send([1, 2, 3, 4, 5], good, 3);
    await until("all of the others are handled", () => consumer.handled.length === 15);
    expect(await consumer.problem()).toMatch(/^partition 0 waits: too many dead letters[^;]*; mend[^;]*$/);
  });

  test("lets pass what an operator says, and waits again at what comes after that, also after a restart", async () => {
    const { topic, ids, state, start, waits } = await deployDefect("let-pass", 12);
    const first = start();
    await waits(first, RUN_MAX);
    expect(await letPass(kafka, { groupId: `group-of-${topic}`, topic })).toEqual([{ partition: 0, offset: "12" }]);
    await produce(topic, [{ key: "k", value: JSON.stringify(changed(newId())) }]);
    await waits(first, 12);
    expect(await readDeadLetters(topic)).toHaveLength(ids.length);
    await first.stop();
    const successor = changed(newId());
    await produce(topic, [{ key: "k", value: JSON.stringify(successor) }]);
    state.isBroken = false;
    const second = start();
    await until("the successor handles the rest", () => second.handled.length === 2);
    expect(second.handled.at(-1)?.id).toBe(successor.id);
    expect(await readDeadLetters(topic)).toHaveLength(ids.length);
  });

  test("also one of who sends: what is no event waits behind a few that were none either", async () => {
    const topic = await createTestTopic("nonsense", 1);
    await produce(
      topic,
      Array.from({ length: 10 }, () => ({ key: "k", value: "not json" })),
    );
    const consumer = consume(topic, playerEvent, { deadLetterLimit, handle: async () => {} });
    await until("it waits", async () => (await consumer.problem()).includes(`offset ${RUN_MAX} (not JSON)`));
    await letPass(kafka, { groupId: `group-of-${topic}`, topic }, [0]);
    await bury(topic, 10);
    await until("it is ready again", async () => (await consumer.problem()) === "");
  });
});
