import type { EachBatchPayload } from "kafkajs";
import type { z } from "zod";
import { type ChunkDeps, handleChunk } from "./chunk.ts";
import type { ConsumerHealth } from "./health.ts";
import { createPlace } from "./place.ts";

/** Events per call of `handle`, and so per commit. */
const CHUNK_EVENTS_MAX = 500;

export type BatchDeps<S extends z.ZodType> = Omit<ChunkDeps<S>, "place" | "origin"> & {
  topic: string;
  groupId: string;
  health: ConsumerHealth;
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
  const chunkDeps = { ...deps, origin: { topic, partition, groupId }, place };
  try {
    if (messages[0] !== undefined) tellLag(BigInt(messages[0].offset));
    for (let from = 0; from < messages.length; from += CHUNK_EVENTS_MAX) {
      if (!payload.isRunning() || payload.isStale()) return;
      const { last, interruption } = await handleChunk(messages.slice(from, from + CHUNK_EVENTS_MAX), chunkDeps);
      if (last !== undefined) {
        const next = BigInt(last.offset) + 1n;
        // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
        await payload.commitOffsetsIfNecessary({
          topics: [{ topic, partitions: [{ partition, offset: next.toString() }] }],
        });
        payload.resolveOffset(last.offset);
        tellLag(next);
        metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
      }
      if (interruption !== undefined) throw interruption.reason;
      await payload.heartbeat();
      health.turn();
    }
  } finally {
    health.end();
  }
}
