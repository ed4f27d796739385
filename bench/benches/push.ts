import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { newId } from "../../lib/ids.ts";
import { until } from "../../tests/support/until.ts";
import { type Hop, startHop } from "../bare/hop.ts";
import type { Bench, BenchContext } from "../harness/bench.ts";
import { measurePairs, median } from "../harness/pairs.ts";
import { createPlayers, createPromotions, createSigner, createWelcomeBonus } from "../harness/players.ts";
import type { BenchSystem } from "../harness/system.ts";

/** Of one measurement. */
const EVENTS = 40;
const WARM_UP = 20;
/** Milliseconds between two events: each finds the system at rest. */
const PAUSE_MS = 60;

const percentile = (values: number[], part: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] as number;

interface Latency {
  p50: number;
  p99: number;
}

async function repeat(count: number, once: () => Promise<number>): Promise<Latency> {
  const took: number[] = [];
  for (let event = 0; event < count; event++) {
    took.push(await once());
    await delay(PAUSE_MS);
  }
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
}

/** @returns milliseconds from staff's request until the frame is at the player's socket */
async function startAssigning(system: BenchSystem) {
  const { stack, promotions, secrets } = system;
  const [player] = await createPlayers(system, 1);
  const staffToken = await (await createSigner(secrets))(newId(), "staff");
  const socket = new WebSocket(`${stack.url.replace("http", "ws")}/notifications/ws`, {
    headers: { authorization: `Bearer ${player?.token}` },
  });
  let onFrame: (frame: { type: string; content?: { promotionId: string } }) => void = () => {};
  const ready = new Promise<void>((resolve) => {
    onFrame = ({ type }) => type === "ready" && resolve();
  });
  socket.on("message", (data) => onFrame(JSON.parse(data.toString())));
  await ready;
  const once = async () => {
    const [promotionId = ""] = await createPromotions(promotions, 1);
    const pushed = new Promise<void>((resolve) => {
      onFrame = ({ content }) => content?.promotionId === promotionId && resolve();
    });
    const startedAt = performance.now();
    const answer = await fetch(`${stack.url}/promotions/api/v1/promotions/${promotionId}/assign`, {
      method: "POST",
      headers: { authorization: `Bearer ${staffToken}`, "content-type": "application/json" },
      body: JSON.stringify({ playerIds: [player?.id] }),
    });
    if (!answer.ok) throw new Error(`assign answered ${answer.status}`);
    await pushed;
    return performance.now() - startedAt;
  };
  return { once, close: () => socket.close() };
}

/** @returns milliseconds from the answer of a registration until the notification is in the document database */
async function register({ stack, documents }: BenchSystem): Promise<number> {
  const answer = await fetch(`${stack.url}/users/api/v1/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${newId()}@bench.example`, password: "correct horse battery" }),
  });
  const { id } = (await answer.json()) as { id: string };
  const startedAt = performance.now();
  await until("the bonus is told", () => documents.collection("notifications").findOne({ playerId: id }), {
    intervalMs: 1,
  });
  return performance.now() - startedAt;
}

/** What so many hops and inserts take, one after the other. */
const bareOf = async (hop: Hop, times: number): Promise<number> => {
  let ms = 0;
  for (let time = 0; time < times; time++) ms += (await hop.send()) + (await hop.insert());
  return ms;
};

async function compare({ pairs }: BenchContext, what: string, hops: number, hop: Hop, once: () => Promise<number>) {
  await repeat(WARM_UP, once);
  await repeat(WARM_UP, () => bareOf(hop, hops));
  const { ours, theirs } = await measurePairs(
    pairs,
    () => repeat(EVENTS, once),
    () => repeat(EVENTS, () => bareOf(hop, hops)),
  );
  const beside = hops === 1 ? "a bare Kafka hop and an insert" : `${hops} bare Kafka hops and ${hops} inserts`;
  const p99 = `99th percentile: ours ${median(ours.map(({ p99 }) => p99)).toFixed(1)} ms`;
  return {
    comparison: {
      what: `${what}, p50 in ms`,
      beside,
      ours: ours.map(({ p50 }) => p50),
      theirs: theirs.map(({ p50 }) => p50),
      goal: { atMost: 4 },
    },
    note: `${what}: ${p99}, beside it ${median(theirs.map(({ p99 }) => p99)).toFixed(1)} ms.`,
  };
}

export const pushBench: Bench = {
  name: "push",
  title: "From an assignment to the frame, and from a registration to the stored notification, at light load",
  async run(context) {
    const { system } = context;
    const hop = await startHop(system.stack.endpoints.kafkaBrokers, system.stack.endpoints.promotionsDatabaseUrl);
    try {
      const assigning = await startAssigning(system);
      const pushed = await compare(context, "assign → frame", 1, hop, assigning.once);
      assigning.close();
      await createWelcomeBonus(system.promotions);
      const told = await compare(context, "registered → notification", 2, hop, () => register(system));
      return { comparisons: [pushed.comparison, told.comparison], notes: [pushed.note, told.note] };
    } finally {
      await hop.close();
    }
  },
};
