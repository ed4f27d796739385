import type { EachBatchPayload } from "kafkajs";
import type { z } from "zod";
import { backoffMs } from "../../backoff.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type ChunkDeps, handleChunk } from "./chunk.ts";
import { REFUSED_BACKOFF } from "./decide.ts";
import type { Gate, Refused } from "./gate.ts";
import type { ConsumerHealth } from "./health.ts";
import { createPlace, Interrupted, type Place } from "./place.ts";

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
  let refusals = 0;
  try {
    if (messages[0] !== undefined) tellLag(BigInt(messages[0].offset));
    for (let from = 0; from < messages.length; ) {
      if (!payload.isRunning() || payload.isStale()) return;
      // What was refused is tried alone, so that nothing behind it is touched.
      const chunk = messages.slice(from, from + (refusals === 0 ? CHUNK_EVENTS_MAX : 1));
      const { last, interruption, refused } = await handleChunk(chunk, chunkDeps);
      if (last !== undefined) {
        const next = BigInt(last.offset) + 1n;
        // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
        await payload.commitOffsetsIfNecessary({
          topics: [{ topic, partitions: [{ partition, offset: next.toString() }] }],
        });
        payload.resolveOffset(last.offset);
        from = messages.indexOf(last) + 1;
        refusals = 0;
        tellLag(next);
        metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
      }
      if (interruption !== undefined) throw interruption.reason;
      if (refused !== undefined) await waitAtGate(refused, refusals++, { topic, partition, place, log: deps.log });
      await payload.heartbeat();
      health.turn();
    }
  } catch (error) {
    throw error instanceof Interrupted ? error.reason : error;
  } finally {
    health.end();
  }
}

/**
 * Waits, loudly, before what was refused is tried again.
 *
 * @throws Interrupted
 */
async function waitAtGate(
  { offset, reason }: Refused,
  refusals: number,
  { topic, partition, place, log }: { topic: string; partition: number; place: Place; log: Logger },
): Promise<void> {
  if (refusals === 0) log.error({ partition, offset, reason }, "too many dead letters; the partition waits");
  place.stall(
    "dead_letters",
    `too many dead letters; mend what fails at offset ${offset} (${reason}), or npm run dlt -- let-pass ${topic}/${partition}`,
  );
  await place.wait(backoffMs(refusals, REFUSED_BACKOFF), new Error(reason));
}
