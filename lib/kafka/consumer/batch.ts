import type { EachBatchPayload } from "kafkajs";
import type { z } from "zod";
import { backoffMs } from "../../backoff.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type ChunkDeps, handleChunk } from "./chunk.ts";
import { REFUSED_BACKOFF } from "./decide.ts";
import type { Gate, Refused } from "./gate.ts";
import type { BatchHealth, ConsumerHealth } from "./health.ts";
import { createPlace } from "./place.ts";

/** Events per call of `handle`, and so per commit. */
const CHUNK_EVENTS_MAX = 500;

export type BatchDeps<S extends z.ZodType> = Omit<ChunkDeps<S>, "place" | "origin" | "gate"> & {
  topic: string;
  groupId: string;
  health: ConsumerHealth;
  gateOf: (partition: number) => Gate;
  stopping: AbortSignal;
};

/**
 * Handles what a partition has, chunk by chunk, and commits each.
 *
 * @throws what interrupted it, for kafkajs to heed: a rebalance, for one
 */
export async function handleBatch<S extends z.ZodType>(payload: EachBatchPayload, deps: BatchDeps<S>): Promise<void> {
  const { topic, groupId, metrics } = deps;
  const { partition, messages, highWatermark } = payload.batch;
  const health = deps.health.beginBatch(partition);
  const tellLag = (next: bigint) =>
    metrics.consumerLag.set({ topic, partition: String(partition) }, Number(BigInt(highWatermark) - next));
  const place = createPlace(payload, health, deps.stopping);
  const gate = deps.gateOf(partition);
  const chunkDeps = { ...deps, origin: { topic, partition, groupId }, place, gate };
  try {
    if (messages[0] !== undefined) tellLag(BigInt(messages[0].offset));
    for (let from = 0; from < messages.length; ) {
      if (!payload.isRunning() || payload.isStale()) return;
      // What was refused is tried alone, so that nothing behind it is touched.
      const chunk = messages.slice(from, from + (gate.refusals === 0 ? CHUNK_EVENTS_MAX : 1));
      const { last, interruption, refused } = await handleChunk(chunk, chunkDeps);
      if (last !== undefined) {
        const next = BigInt(last.offset) + 1n;
        // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
        await payload.commitOffsetsIfNecessary({
          topics: [{ topic, partitions: [{ partition, offset: next.toString() }] }],
        });
        payload.resolveOffset(last.offset);
        from = messages.indexOf(last) + 1;
        health.goOn();
        tellLag(next);
        metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
      }
      if (interruption !== undefined) throw interruption.reason;
      if (refused !== undefined) return keepBack(refused, payload, { gate, health, log: deps.log });
      await payload.heartbeat();
      health.turn();
    }
  } finally {
    health.end();
  }
}

/**
 * Leaves a message where it is and fetches nothing from its partition until it is to be tried again. Not by waiting here:
 * kafkajs fetches from a broker when all batches of the last fetch are done, so the broker's other partitions would wait too.
 */
function keepBack(
  { offset, reason }: Refused,
  payload: EachBatchPayload,
  { gate, health, log }: { gate: Gate; health: BatchHealth; log: Logger },
): void {
  const { topic, partition } = payload.batch;
  if (gate.refusals === 1) log.error({ partition, offset, reason }, "too many dead letters; the partition waits");
  health.waitFor(
    "dead_letters",
    `too many dead letters; mend what fails at offset ${offset} (${reason}), or npm run dlt -- let-pass ${topic}/${partition}`,
  );
  setTimeout(payload.pause(), backoffMs(gate.refusals - 1, REFUSED_BACKOFF)).unref();
}
