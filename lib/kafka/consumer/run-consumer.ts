import type { EachBatchPayload, Kafka } from "kafkajs";
import type { z } from "zod";
import { backoffMs, pause } from "../../backoff.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { createPassage } from "../let-pass.ts";
import { createEventProducer } from "../producer.ts";
import { handleBatch } from "./batch.ts";
import { createGate, type Gate } from "./gate.ts";
import { ConsumerHealth } from "./health.ts";
import { live } from "./life.ts";
import { DEAD_LETTER_LIMIT, DeadLetterLimit, type LimitBounds } from "./limit.ts";
import type { Received } from "./parse-message.ts";
import { createPatience } from "./patience.ts";
import { HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS } from "./place.ts";

export interface ConsumerOptions<S extends z.ZodType> {
  kafka: Kafka;
  groupId: string;
  topic: string;
  /** What a message must be; anything else goes to the dead letters at once. */
  schema: S;
  /**
   * The effect. Must be idempotent: it sees every event at least once. If it throws for several events, it is called
   * again with each half of them, down to those that fail alone.
   */
  handle: (events: Received<z.output<S>>[]) => Promise<void>;
  /** Which errors mean "not now": the partition waits, for as long as it takes, and nothing becomes a dead letter. */
  isUnavailable: (error: unknown) => boolean;
  log: Logger;
  metrics: Metrics;
  /** Partitions handled at the same time. */
  concurrency?: number;
  /** How many of a partition's messages may become dead letters before it waits for somebody. */
  deadLetterLimit?: LimitBounds;
  /** Milliseconds without any sign of life after which it counts as hung. */
  silenceMaxMs?: number;
}

export interface RunningConsumer {
  /** Rejects while this consumer is not a member of its group, or a partition waits. */
  check(): Promise<void>;
  /** Throws when it hangs: it neither works, nor waits, nor tries. */
  checkLoop(): void;
  /** Finishes the batch, commits, leaves the group. */
  stop(): Promise<void>;
}

/**
 * Partitions handled at the same time, if nothing else is said: 12 partitions are three rounds for one consumer and one
 * for each of three. With 3 at a time, three consumers were only twice as fast as one.
 */
const CONCURRENCY = 4;
/**
 * What all partitions together may spend on trying again, since each waits for the others' batches: what stands behind
 * many failing events is late by this and the time of one attempt at each.
 */
const PATIENCE = { maxMs: 3_000, refillRatio: 0.1 };
const RESTART_BACKOFF = { baseMs: 200, maxMs: 5_000 };

/**
 * Consumes a topic for ever: at least once, in order per partition, offsets committed after the effect. Comes back by
 * itself from whatever kafkajs gives up on.
 */
export function runConsumer<S extends z.ZodType>(options: ConsumerOptions<S>): RunningConsumer {
  const { kafka, groupId, topic, schema, handle, isUnavailable, metrics, concurrency = CONCURRENCY } = options;
  const log = options.log.child({ topic });
  const deadLetters = createEventProducer(kafka);
  const patience = createPatience(PATIENCE);
  const passage = createPassage(kafka, { groupId, topic });
  const gates = new Map<number, Gate>();
  const gateOf = (partition: number) => {
    const { deadLetterLimit = DEAD_LETTER_LIMIT } = options;
    const gate = gates.get(partition) ?? createGate(partition, new DeadLetterLimit(deadLetterLimit), passage);
    gates.set(partition, gate);
    return gate;
  };
  const health = new ConsumerHealth({
    silenceMaxMs: options.silenceMaxMs,
    onWait: (partition, reason, isWaiting) => {
      const labels = { topic, partition: String(partition), reason };
      if (isWaiting) metrics.partitionWaiting.set(labels, 1);
      else metrics.partitionWaiting.remove(labels);
    },
  });
  const stopping = new AbortController();
  const deps = {
    groupId,
    topic,
    schema,
    handle,
    isUnavailable,
    patience,
    deadLetters,
    log,
    metrics,
    health,
    gateOf,
    stopping: stopping.signal,
  };
  let assigned: number[] = [];
  const onAssigned = (partitions: number[]) => {
    for (const partition of assigned) {
      if (!partitions.includes(partition)) metrics.consumerLag.remove({ topic, partition: String(partition) });
    }
    assigned = partitions;
  };

  const createConsumer = () =>
    kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      rebalanceTimeout: 15_000,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
    });

  const finished = (async () => {
    const eachBatch = (payload: EachBatchPayload) => handleBatch(payload, deps);
    for (let lives = 0; !stopping.signal.aborted; lives++) {
      const startedAt = Date.now();
      try {
        await live(createConsumer(), { topic, concurrency, eachBatch, health, onAssigned, stopping: stopping.signal });
      } catch (error) {
        log.warn({ err: error, groupId }, "consumer ended; starting anew");
      }
      if (Date.now() - startedAt > 30_000) lives = 0;
      await pause(backoffMs(lives, RESTART_BACKOFF), stopping.signal);
    }
  })();

  return {
    async check() {
      health.check();
    },
    checkLoop: () => health.checkLoop(),
    async stop() {
      stopping.abort();
      await finished;
      await deadLetters.close();
      await passage.close();
    },
  };
}
