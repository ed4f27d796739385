import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { collect, createTestTopic, kafka, metrics, produce, silentLog } from "../../../tests/support/kafka.ts";
import { until } from "../../../tests/support/until.ts";
import type { Received } from "./parse-message.ts";
import { type ConsumerOptions, type RunningConsumer, runConsumer } from "./run-consumer.ts";

const schema = z.object({ n: z.int() });
type Message = z.infer<typeof schema>;

const running: RunningConsumer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
});

function consume(
  topic: string,
  options: Partial<ConsumerOptions<typeof schema>> & Pick<ConsumerOptions<typeof schema>, "handle">,
) {
  const consumer = runConsumer({
    kafka,
    groupId: `group-of-${topic}`,
    topic,
    schema,
    isUnavailable: () => false,
    log: silentLog,
    metrics,
    ...options,
  });
  running.push(consumer);
  return consumer;
}

const numbered = (from: number, to: number, key = "one-player") =>
  Array.from({ length: to - from }, (_, i) => ({ key, value: JSON.stringify({ n: from + i }) }));

const numbers = (events: Received<Message>[]) => events.map(({ event }) => event.n);

test("what can't be an event goes to the dead letters with its reason, and stops nobody", async () => {
  const topic = await createTestTopic("malformed");
  await produce(topic, [
    ...numbered(0, 1),
    { key: "one-player", value: "{not json" },
    { key: "one-player", value: JSON.stringify({ n: "one" }) },
    ...numbered(1, 2),
  ]);
  const seen: number[] = [];
  consume(topic, { handle: async (events) => void seen.push(...numbers(events)) });
  const dead = await collect(`${topic}.dlt`);
  await until("both good ones are handled", () => seen.length === 2);
  await until("both bad ones are dead letters", () => dead.messages.length === 2);
  await dead.stop();
  expect(seen).toEqual([0, 1]);
  expect(dead.messages.map(({ value }) => value)).toEqual(["{not json", '{"n":"one"}']);
  expect(dead.messages[0]?.headers).toMatchObject({ "dlt-topic": topic, "dlt-reason": "not JSON", "dlt-offset": "1" });
  expect(dead.messages[1]?.headers["dlt-reason"]).toContain("n Invalid input");
});

test("an event whose handler always throws is dead after bounded retries; its neighbours are handled, in order", async () => {
  const topic = await createTestTopic("poison");
  await produce(topic, numbered(0, 20));
  const seen: number[] = [];
  let attempts = 0;
  consume(topic, {
    handle: async (events) => {
      if (events.some(({ event }) => event.n === 7)) {
        attempts += 1;
        throw new Error("seven is unlucky");
      }
      seen.push(...numbers(events));
    },
  });
  const dead = await collect(`${topic}.dlt`);
  await until("the poisoned one is a dead letter", () => dead.messages.length === 1);
  await until("the others are handled", () => seen.length === 19);
  await dead.stop();
  expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n).filter((n) => n !== 7));
  expect(dead.messages[0]).toMatchObject({
    value: '{"n":7}',
    headers: { "dlt-reason": expect.stringContaining("unlucky") },
  });
  // Those of the event alone, and of the halvings of 20 down to it.
  expect(attempts).toBeLessThanOrEqual(5 + 5);
});

test("while a dependency is away nothing becomes a dead letter, and everything is handled when it is back", async () => {
  const topic = await createTestTopic("outage");
  await produce(topic, numbered(0, 10));
  const seen: number[] = [];
  let isDown = true;
  let refusals = 0;
  consume(topic, {
    isUnavailable: (error) => (error as Error).message === "down",
    handle: async (events) => {
      if (isDown) {
        refusals += 1;
        throw new Error("down");
      }
      seen.push(...numbers(events));
    },
  });
  await until("it was tried more often than an event's attempts", () => refusals > 6, { timeoutMs: 25_000 });
  expect(seen).toEqual([]);
  isDown = false;
  await until("all are handled", () => seen.length === 10);
  // The dead letters are empty up to this one, which has to be there.
  await produce(topic, [{ key: "one-player", value: "sentinel" }]);
  const dead = await collect(`${topic}.dlt`);
  await until("the sentinel is a dead letter", () => dead.messages.length > 0);
  await dead.stop();
  expect(dead.messages.map(({ value }) => value)).toEqual(["sentinel"]);
});

test("a consumer that is stopped in the middle of a batch finishes it and commits: nothing is redelivered", async () => {
  const topic = await createTestTopic("stop");
  await produce(topic, numbered(0, 5));
  const working = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const first: number[] = [];
  const predecessor = consume(topic, {
    handle: async (events) => {
      working.resolve();
      await release.promise;
      first.push(...numbers(events));
    },
  });
  await working.promise;
  const stopped = predecessor.stop();
  release.resolve();
  await stopped;
  await produce(topic, numbered(100, 101));
  const second: number[] = [];
  consume(topic, { handle: async (events) => void second.push(...numbers(events)) });
  await until("the successor has the next one", () => second.includes(100));
  expect([...first, ...second]).toEqual([0, 1, 2, 3, 4, 100]);
});

test("offsets are committed after the effect: a successor handles exactly what its predecessor did not", async () => {
  const topic = await createTestTopic("succession");
  await produce(topic, numbered(0, 5));
  const first: number[] = [];
  const predecessor = consume(topic, { handle: async (events) => void first.push(...numbers(events)) });
  await until("the first five are handled", () => first.length === 5);
  await predecessor.stop();
  await produce(topic, numbered(5, 8));
  const second: number[] = [];
  consume(topic, { handle: async (events) => void second.push(...numbers(events)) });
  await until("the next three are handled", () => second.length >= 3);
  expect(second).toEqual([5, 6, 7]);
});

test("a handler that never returns is a consumer that hangs, though it has its place in the group", async () => {
  const topic = await createTestTopic("hang");
  await produce(topic, numbered(0, 1));
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const consumer = consume(topic, {
    silenceMaxMs: 1_000,
    handle: async () => {
      begun.resolve();
      await released.promise;
    },
  });
  await begun.promise;
  await consumer.check();
  expect(() => consumer.checkLoop()).not.toThrow();
  await until("it is found", () => {
    try {
      consumer.checkLoop();
      return false;
    } catch (error) {
      return /^partition \d+ has not turned/.test((error as Error).message);
    }
  });
  released.resolve();
});

test("one that has nothing to do does not hang, and one whose dependency is away is not ready, but does not hang either", async () => {
  const topic = await createTestTopic("waits");
  const silenceMaxMs = 4_000; // longer than a wait for a dependency, and than a fetch that finds nothing
  let isDown = true;
  const consumer = consume(topic, {
    silenceMaxMs,
    isUnavailable: () => true,
    handle: async () => {
      if (isDown) throw new Error("down");
    },
  });
  const staysAlive = async (forMs: number) => {
    const startedAt = performance.now();
    let hung: unknown;
    await until("it lives longer than it may be silent", () => {
      try {
        consumer.checkLoop();
      } catch (error) {
        hung ??= error;
      }
      return performance.now() - startedAt > forMs;
    });
    expect(hung).toBeUndefined();
  };
  await until("it is ready", () => consumer.check().then(() => true));
  await staysAlive(silenceMaxMs * 1.5);
  await produce(topic, numbered(0, 1));
  await until("it says that it waits", () =>
    consumer.check().then(
      () => false,
      (error: Error) => error.message.includes("waits: a dependency is away: down"),
    ),
  );
  await staysAlive(silenceMaxMs * 1.5);
  isDown = false;
  await until("it is ready again", () => consumer.check().then(() => true));
});

test("the lag of a partition is what is left of it, and nobody's when the consumer has left", async () => {
  const topic = await createTestTopic("lag");
  await produce(topic, numbered(0, 1));
  const lags = async () =>
    (await metrics.consumerLag.get()).values.filter(({ labels }) => labels.topic === topic).map(({ value }) => value);
  let isDown = true;
  const consumer = consume(topic, {
    isUnavailable: () => true,
    handle: async () => {
      if (isDown) throw new Error("down");
    },
  });
  await until("it waits for the one", async () => (await lags()).includes(1));
  isDown = false;
  await until("none is left", async () => (await lags()).every((lag) => lag === 0));
  await consumer.stop();
  expect(await lags()).toEqual([]);
});
