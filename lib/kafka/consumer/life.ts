import type { Consumer, EachBatchHandler } from "kafkajs";
import type { ConsumerHealth, GroupEvent } from "./health.ts";
import { Queue } from "./queue.ts";

/** A life that has not been a member for so long, in milliseconds, is not worth waiting for; a rebalance may take 15 s. */
const JOIN_MAX_MS = 60_000;

/**
 * One life of a consumer in its group. What kafkajs tells goes through a queue to one loop, which alone changes what is
 * known of the life.
 *
 * @param consumer not connected yet
 * @returns when we stop: the batches in hand are finished and committed, the group is left
 * @throws what kafkajs gave up on, or Error when it has not joined the group for too long
 */
export async function live(
  consumer: Consumer,
  options: {
    topic: string;
    /** Partitions handled at the same time. */
    concurrency: number;
    eachBatch: EachBatchHandler;
    health: ConsumerHealth;
    /** Told which partitions are ours from now on. */
    onAssigned: (partitions: number[]) => void;
    stopping: AbortSignal;
    /** How long it may be no member, in milliseconds, before another life is tried. */
    joinMaxMs?: number;
  },
): Promise<void> {
  const { topic, concurrency, eachBatch, health, onAssigned, stopping, joinMaxMs = JOIN_MAX_MS } = options;
  const events = listen(consumer, topic);
  health.turn();
  for (const name of SIGNS_OF_LIFE) consumer.on(name, () => health.turn());
  const stop = () => events.put({ kind: "stopping" });
  stopping.addEventListener("abort", stop);
  let isMember = false;
  let overdue: NodeJS.Timeout | undefined;
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrency,
      eachBatch,
    });
    while (!stopping.aborted) {
      if (!isMember) overdue ??= setTimeout(() => events.put({ kind: "overdue" }), joinMaxMs);
      const event = await events.take();
      if (event.kind === "stopping") return;
      if (event.kind === "overdue") throw new Error(`not a member of the group for ${joinMaxMs / 1000} s`);
      health.apply(event);
      if (event.kind === "joined") {
        onAssigned(event.partitions);
        clearTimeout(overdue);
        overdue = undefined;
      }
      isMember = event.kind === "joined";
      if (event.kind === "crashed" && event.error !== undefined) throw event.error;
    }
  } finally {
    clearTimeout(overdue);
    stopping.removeEventListener("abort", stop);
    health.apply({ kind: "left" });
    onAssigned([]);
    await consumer.disconnect();
  }
}

/** What kafkajs tells of whenever it does something: each request to a broker, answered or not, and each fetch. */
const SIGNS_OF_LIFE = [
  "consumer.connect",
  "consumer.network.request",
  "consumer.network.request_timeout",
  "consumer.fetch_start",
] as const;

/** @returns what kafkajs tells from now on */
function listen(consumer: Consumer, topic: string): Queue<GroupEvent> {
  const events = new Queue<GroupEvent>();
  consumer.on("consumer.group_join", ({ payload: { memberAssignment } }) =>
    events.put({ kind: "joined", partitions: memberAssignment[topic] ?? [] }),
  );
  consumer.on("consumer.rebalancing", () => events.put({ kind: "rebalancing" }));
  consumer.on("consumer.crash", ({ payload: { error, restart } }) =>
    events.put({ kind: "crashed", error: restart ? undefined : error }),
  );
  return events;
}
