import { pino } from "pino";
import { expect, test } from "vitest";
import { z } from "zod";
import { createMetrics } from "../../telemetry/metrics.ts";
import type { OutgoingMessage } from "../producer.ts";
import { type ChunkDeps, handleChunk } from "./chunk.ts";
import type { Gate } from "./gate.ts";
import { createPatience } from "./patience.ts";
import { Interrupted, type Place } from "./place.ts";

const schema = z.object({ n: z.int() });
type Deps = ChunkDeps<typeof schema>;

const safe: Place = { keepDuring: (work) => work(), beat: async () => {}, wait: async () => {}, stall: () => {} };
/** A gate that lets everything pass. */
const open: Gate = { refusals: 0, pass: async () => {}, count: () => {} };

/** Handles messages of these values; `failing` numbers fail for ever. */
async function handle(values: string[], failing: number[] = [], options: Partial<Deps> = {}) {
  const handled: number[] = [];
  const letters: OutgoingMessage[] = [];
  const metrics = createMetrics();
  const progress = await handleChunk(
    values.map((value, i) => ({
      offset: String(i + 10),
      value: Buffer.from(value),
      key: null,
      timestamp: "0",
      attributes: 0,
      headers: {},
    })),
    {
      schema,
      origin: { topic: "player", partition: 3, groupId: "welcome-bonus" },
      deadLetters: { send: async (messages) => void letters.push(...messages) },
      metrics,
      handle: async (events) => {
        if (events.some(({ event }) => failing.includes(event.n))) throw new Error("a defect");
        handled.push(...events.map(({ event }) => event.n));
      },
      isUnavailable: () => false,
      patience: createPatience({ maxMs: 60_000, refillRatio: 0.1 }),
      place: safe,
      gate: open,
      log: pino({ level: "silent" }),
      ...options,
    },
  );
  const counted = Object.fromEntries(
    (await metrics.messagesTotal.get()).values.map(({ labels, value }) => [labels.outcome, value]),
  );
  const buried = letters.map(({ headers }) => [headers?.["dlt-offset"], headers?.["dlt-reason"]]);
  return { last: progress.last?.offset, interruption: progress.interruption, handled, buried, counted };
}

const json = (...ns: number[]) => ns.map((n) => JSON.stringify({ n }));

test("what is no event and what always fails are buried in their order, the rest is handled, and all of it is done", async () => {
  const outcome = await handle(["{not json", ...json(1, 2, 3), '{"n":"four"}'], [2]);
  expect(outcome).toMatchObject({
    last: "14",
    interruption: undefined,
    handled: [1, 3],
    counted: { handled: 2, dead_lettered: 3 },
  });
  expect(outcome.buried).toEqual([
    ["10", "not JSON"],
    ["12", "handler failed 5 times: a defect"],
    ["14", expect.stringContaining("n Invalid input")],
  ]);
});

test("after an interruption what was done up to there counts, its dead letters included, and what is behind does not", async () => {
  const lost: Place = {
    ...safe,
    wait: async (_ms, reason) => {
      throw new Interrupted(reason);
    },
  };
  const outcome = await handle(["{not json", ...json(1, 2, 3), "{not json either"], [2], { place: lost });
  expect(outcome).toMatchObject({ last: "11", handled: [1], counted: { handled: 1, dead_lettered: 1 } });
  expect(outcome.interruption).toBeInstanceOf(Interrupted);
  expect(outcome.buried).toEqual([["10", "not JSON"]]);
});

test("while a dead letter can't be written nothing is passed over, and it is tried for as long as it takes", async () => {
  let refusals = 0;
  const refuse = async () => {
    refusals += 1;
    throw Object.assign(new Error("no broker"), { name: "KafkaJSConnectionError" });
  };
  const lostLater: Place = {
    ...safe,
    wait: async (_ms, reason) => {
      if (refusals >= 10) throw new Interrupted(reason);
    },
  };
  const outcome = await handle(["{not json", ...json(1)], [], { deadLetters: { send: refuse }, place: lostLater });
  expect(refusals).toBe(10);
  expect(outcome).toMatchObject({ last: undefined, interruption: expect.any(Interrupted), counted: {} });
});
