import type { EachBatchPayload } from "kafkajs";
import type { z } from "zod";
import { type ChunkDeps, handleChunk } from "./chunk.ts";
import { createPlace } from "./place.ts";

/** Events per call of `handle`, and so per commit. */
const CHUNK_EVENTS_MAX = 500;

export type BatchDeps<S extends z.ZodType> = Omit<ChunkDeps<S>, "place" | "origin"> & {
  topic: string;
  groupId: string;
  stopping: AbortSignal;
};

/**
 * Handles what a partition has, chunk by chunk, and commits each.
 *
 * @throws what interrupted it, for kafkajs to heed: a rebalance, for one
 */
export async function handleBatch<S extends z.ZodType>(payload: EachBatchPayload, deps: BatchDeps<S>): Promise<void> {
  const { topic, groupId, metrics } = deps;
  const { partition, messages } = payload.batch;
  const chunkDeps = { ...deps, origin: { topic, partition, groupId }, place: createPlace(payload, deps.stopping) };
  for (let from = 0; from < messages.length; from += CHUNK_EVENTS_MAX) {
    if (!payload.isRunning() || payload.isStale()) return;
    const { last, interruption } = await handleChunk(messages.slice(from, from + CHUNK_EVENTS_MAX), chunkDeps);
    if (last !== undefined) {
      const offset = (BigInt(last.offset) + 1n).toString();
      // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
      payload.resolveOffset(last.offset);
      metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
    }
    if (interruption !== undefined) throw interruption.reason;
    await payload.heartbeat();
  }
}
