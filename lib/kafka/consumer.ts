import type { EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import type { z } from "zod";
import { backoffMs, pause } from "../backoff.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { continueTrace } from "../telemetry/trace.ts";
import { isKafkaError } from "./client.ts";
import { readHeaders, toDeadLetter } from "./dead-letter.ts";
import { createEventProducer, type OutgoingMessage } from "./producer.ts";

/** An event as a consumer gets it. */
export interface Received<E> {
  event: E;
  partition: number;
  /** Its place in the partition. */
  offset: string;
  traceparent: string | undefined;
}

export interface ConsumerOptions<S extends z.ZodType> {
  kafka: Kafka;
  groupId: string;
  topic: string;
  /** What a message must be; anything else goes to the dead letters at once. */
  schema: S;
  /**
   * The effect. Must be idempotent: it sees every event at least once. If it throws for several events, it is called
   * again with each of them alone.
   */
  handle: (events: Received<z.output<S>>[]) => Promise<void>;
  /** Which errors mean "not now": the partition waits, for as long as it takes, and nothing becomes a dead letter. */
  isUnavailable: (error: unknown) => boolean;
  log: Logger;
  metrics: Metrics;
  /** Partitions handled at the same time. */
  concurrency?: number;
}

export interface RunningConsumer {
  /** Rejects while this consumer is not a member of its group. */
  check(): Promise<void>;
  /** Finishes the batch, commits, leaves the group. */
  stop(): Promise<void>;
}

/** Events per call of `handle`, and so per commit. */
const CHUNK_EVENTS_MAX = 500;
/** Attempts at an event that fails although every dependency answers: about two seconds in all, then it is dead. */
const HANDLE_ATTEMPTS_MAX = 5;
const HANDLE_BACKOFF = { baseMs: 100, maxMs: 1_000 };
const UNAVAILABLE_BACKOFF = { baseMs: 100, maxMs: 2_000 };
const RESTART_BACKOFF = { baseMs: 200, maxMs: 5_000 };
/** The brokers' smallest is 6 s; a killed consumer's partitions move on after this. */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_INTERVAL_MS = 2_000;

/**
 * Consumes a topic for ever: at least once, in order per partition, offsets committed after the effect. Comes back by
 * itself from whatever kafkajs gives up on.
 */
export function runConsumer<S extends z.ZodType>(options: ConsumerOptions<S>): RunningConsumer {
  const { kafka, groupId, topic, log } = options;
  const deadLetters = createEventProducer(kafka);
  const stopping = new AbortController();
  let isMember = false;

  /** One life of a consumer: ends when kafkajs gives up or when we stop. */
  const live = async () => {
    const current = kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      rebalanceTimeout: 15_000,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
    });
    const ended = new Promise<Error | undefined>((resolve) => {
      current.on("consumer.group_join", () => {
        isMember = true;
      });
      current.on("consumer.rebalancing", () => {
        isMember = false;
      });
      current.on("consumer.crash", ({ payload }) => {
        isMember = false;
        if (!payload.restart) resolve(payload.error);
      });
      stopping.signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    try {
      await current.connect();
      await current.subscribe({ topic, fromBeginning: true });
      await current.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: options.concurrency ?? 3,
        eachBatch: handleBatch,
      });
      const error = await ended;
      if (error !== undefined) throw error;
    } finally {
      isMember = false;
      await current.disconnect();
    }
  };

  const handleBatch = async (payload: EachBatchPayload) => {
    const { batch } = payload;
    for (let from = 0; from < batch.messages.length; from += CHUNK_EVENTS_MAX) {
      if (!payload.isRunning() || payload.isStale()) return;
      const chunk = batch.messages.slice(from, from + CHUNK_EVENTS_MAX);
      const last = chunk.at(-1) as KafkaMessage;
      await handleChunk(payload, chunk).catch((error: unknown) => {
        throw error instanceof Interrupted ? error.reason : error;
      });
      const offset = (BigInt(last.offset) + 1n).toString();
      // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition: batch.partition, offset }] }],
      });
      payload.resolveOffset(last.offset);
      await payload.heartbeat();
      options.metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
    }
  };

  const handleChunk = async (payload: EachBatchPayload, messages: KafkaMessage[]) => {
    const { partition } = payload.batch;
    const received: { message: KafkaMessage; event: Received<z.output<S>> }[] = [];
    const dead: OutgoingMessage[] = [];
    const bury = (message: KafkaMessage, reason: string) => {
      dead.push(toDeadLetter(message, { topic, partition, groupId }, reason));
      log.error({ topic, partition, offset: message.offset, reason }, "dead letter");
    };
    for (const message of messages) {
      const parsed = parse(options.schema, message);
      if (typeof parsed === "string") bury(message, parsed);
      else {
        const { traceparent } = readHeaders(message);
        received.push({ message, event: { event: parsed.event, partition, offset: message.offset, traceparent } });
      }
    }

    const startedAt = performance.now();
    const isPoisoned =
      received.length > 0 &&
      !(await attempt(
        payload,
        received.map(({ event }) => event),
      ));
    for (const { message, event } of received) {
      const reason = isPoisoned ? await handleAlone(payload, event) : undefined;
      if (reason !== undefined) bury(message, reason);
      else {
        const { subject, id, type } = event.event as { subject?: string; id?: string; type?: string };
        const { traceId } = continueTrace(event.traceparent);
        log.info({ traceId, topic, partition, offset: event.offset, eventId: id, type, playerId: subject }, "message");
      }
    }
    await untilAvailable(payload, () => (dead.length > 0 ? deadLetters.send(dead) : undefined), isKafkaError);
    options.metrics.messagesTotal.inc({ topic, outcome: "dead_lettered" }, dead.length);
    options.metrics.messagesTotal.inc({ topic, outcome: "handled" }, messages.length - dead.length);
    log.debug({ topic, partition, count: messages.length, durationMs: performance.now() - startedAt }, "batch");
  };

  /** @returns false if the events can't be handled together, so that each is tried alone */
  const attempt = async (payload: EachBatchPayload, events: Received<z.output<S>>[]) => {
    try {
      await untilAvailable(payload, () => options.handle(events), options.isUnavailable);
      return true;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      log.warn({ err: error, topic, count: events.length }, "batch failed; trying its events one by one");
      return false;
    }
  };

  /** @returns why the event is dead, or undefined if it was handled */
  const handleAlone = async (payload: EachBatchPayload, event: Received<z.output<S>>): Promise<string | undefined> => {
    for (let failures = 0; ; ) {
      try {
        await untilAvailable(payload, () => options.handle([event]), options.isUnavailable);
        await beat(payload); // hundreds of events alone may take longer than the session lasts
        return undefined;
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        failures += 1;
        log.warn({ err: error, topic, offset: event.offset, failures }, "event failed");
        if (failures >= HANDLE_ATTEMPTS_MAX) return `handler failed ${failures} times: ${(error as Error).message}`;
        await pause(backoffMs(failures - 1, HANDLE_BACKOFF), stopping.signal);
        await beat(payload);
      }
    }
  };

  /** Runs `work`, and again while its error means "not now", keeping our place in the group meanwhile. */
  const untilAvailable = async (
    payload: EachBatchPayload,
    work: () => Promise<void> | undefined,
    isUnavailable: (error: unknown) => boolean,
  ) => {
    for (let attempts = 0; ; attempts++) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        log.warn({ err: error, topic, attempts }, "dependency unavailable; waiting");
        await pause(backoffMs(attempts, UNAVAILABLE_BACKOFF), stopping.signal);
        await beat(payload);
        if (stopping.signal.aborted || payload.isStale()) throw new Interrupted(error);
      }
    }
  };

  const beat = async (payload: EachBatchPayload) => {
    try {
      await payload.heartbeat();
    } catch (error) {
      throw new Interrupted(error);
    }
  };

  const finished = (async () => {
    for (let lives = 0; !stopping.signal.aborted; lives++) {
      const startedAt = Date.now();
      await live().catch((error: unknown) => log.warn({ err: error, topic, groupId }, "consumer ended; starting anew"));
      if (Date.now() - startedAt > 30_000) lives = 0;
      await pause(backoffMs(lives, RESTART_BACKOFF), stopping.signal);
    }
  })();

  return {
    async check() {
      if (!isMember) throw new Error("not a member of the consumer group");
    },
    async stop() {
      stopping.abort();
      await finished;
      await deadLetters.close();
    },
  };
}

/** The batch can't go on here: we are stopping or the group rebalances. Uncommitted, it comes again. */
class Interrupted extends Error {
  override name = "Interrupted";
  readonly reason: unknown;
  constructor(reason: unknown) {
    super("interrupted");
    this.reason = reason;
  }
}

/** @returns the event, or in words why the message isn't one */
function parse<S extends z.ZodType>(schema: S, message: KafkaMessage): { event: z.output<S> } | string {
  let json: unknown;
  try {
    json = JSON.parse(message.value?.toString("utf8") ?? "");
  } catch {
    return "not JSON";
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { event: parsed.data };
  return `not an event of this topic: ${parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ")}`;
}
