import type { EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import type { z } from "zod";
import { backoffMs, pause } from "../../backoff.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { continueTrace } from "../../telemetry/trace.ts";
import { isKafkaError } from "../client.ts";
import { readHeaders, toDeadLetter } from "../dead-letter.ts";
import { createEventProducer } from "../producer.ts";
import { createPatience } from "./patience.ts";

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
   * again with each half of them, down to those that fail alone.
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
/**
 * Partitions handled at the same time, if nothing else is said: 12 partitions are three rounds for one consumer and one
 * for each of three. With 3 at a time, three consumers were only twice as fast as one.
 */
const CONCURRENCY = 4;
/** Attempts at an event that fails although every dependency answers: about a second in all, then it is dead. */
const HANDLE_ATTEMPTS_MAX = 5;
const HANDLE_BACKOFF = { baseMs: 100, maxMs: 1_000 };
/**
 * What all partitions together may spend on trying again, since each waits for the others' batches: what stands behind
 * many failing events is late by this and the time of one attempt at each.
 */
const PATIENCE = { maxMs: 3_000, refillRatio: 0.1 };
const UNAVAILABLE_BACKOFF = { baseMs: 100, maxMs: 2_000 };
const RESTART_BACKOFF = { baseMs: 200, maxMs: 5_000 };
/** The brokers' smallest is 6 s; a killed consumer's partitions move on after this. */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_INTERVAL_MS = 2_000;
/** One call of `handle` that takes longer is stuck; without heartbeats the group gives its partitions to another. */
const HANDLE_MS_MAX = 60_000;

/** A message of a chunk on its way to being handled or dead. */
interface Entry<E> {
  message: KafkaMessage;
  event: Received<E> | undefined;
  /** Why it is dead. */
  reason: string | undefined;
  isSettled: boolean;
}

/**
 * Consumes a topic for ever: at least once, in order per partition, offsets committed after the effect. Comes back by
 * itself from whatever kafkajs gives up on.
 */
export function runConsumer<S extends z.ZodType>(options: ConsumerOptions<S>): RunningConsumer {
  const { kafka, groupId, topic, log } = options;
  const deadLetters = createEventProducer(kafka);
  const patience = createPatience(PATIENCE);
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
        partitionsConsumedConcurrently: options.concurrency ?? CONCURRENCY,
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
      const { last, interruption } = await handleChunk(payload, batch.messages.slice(from, from + CHUNK_EVENTS_MAX));
      if (last !== undefined) {
        const offset = (BigInt(last.offset) + 1n).toString();
        // Not `consumer.commitOffsets`, which silently does nothing while the consumer stops and waits for this batch.
        await payload.commitOffsetsIfNecessary({
          topics: [{ topic, partitions: [{ partition: batch.partition, offset }] }],
        });
        payload.resolveOffset(last.offset);
        options.metrics.messageLagSeconds.set({ topic }, Math.max(0, (Date.now() - Number(last.timestamp)) / 1000));
      }
      if (interruption !== undefined) throw interruption.reason;
      await payload.heartbeat();
    }
  };

  /** @returns the last message up to which all are handled or dead, and what kept it from the rest */
  const handleChunk = async (
    payload: EachBatchPayload,
    messages: KafkaMessage[],
  ): Promise<{ last: KafkaMessage | undefined; interruption: Interrupted | undefined }> => {
    const startedAt = performance.now();
    const { partition } = payload.batch;
    const entries = messages.map((message): Entry<z.output<S>> => {
      const parsed = parse(options.schema, message);
      if (typeof parsed === "string") return { message, event: undefined, reason: parsed, isSettled: true };
      const { traceparent } = readHeaders(message);
      const event = { event: parsed.event, partition, offset: message.offset, traceparent };
      return { message, event, reason: undefined, isSettled: false };
    });
    const interruption = await settle(
      payload,
      entries.filter(({ isSettled }) => !isSettled),
    ).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof Interrupted) return error;
        throw error;
      },
    );
    // What was done before an interruption is kept, or a chunk that takes long might never get to its end.
    const open = entries.findIndex(({ isSettled }) => !isSettled);
    const settled = open === -1 ? entries : entries.slice(0, open);
    const dead = settled.flatMap(({ message, reason }) => (reason === undefined ? [] : [{ message, reason }]));
    if (dead.length > 0) {
      const letters = dead.map(({ message, reason }) => toDeadLetter(message, { topic, partition, groupId }, reason));
      try {
        await untilAvailable(payload, () => deadLetters.send(letters), isKafkaError);
      } catch (error) {
        if (error instanceof Interrupted) return { last: undefined, interruption: error };
        throw error;
      }
    }
    for (const entry of settled) report(partition, entry);
    options.metrics.messagesTotal.inc({ topic, outcome: "dead_lettered" }, dead.length);
    options.metrics.messagesTotal.inc({ topic, outcome: "handled" }, settled.length - dead.length);
    log.debug({ topic, partition, count: settled.length, durationMs: performance.now() - startedAt }, "batch");
    return { last: settled.at(-1)?.message, interruption };
  };

  const report = (partition: number, { message: { offset }, event, reason }: Entry<z.output<S>>) => {
    if (reason !== undefined) return log.error({ topic, partition, offset, reason }, "dead letter");
    const { subject, id, type } = (event?.event ?? {}) as { subject?: string; id?: string; type?: string };
    const { traceId } = continueTrace(event?.traceparent);
    log.info({ traceId, topic, partition, offset, eventId: id, type, playerId: subject }, "message");
  };

  /**
   * Handles events together; if they fail, first the one half of them and then the other, so that a few at fault among
   * hundreds cost a few calls. Ends when all are handled or dead.
   */
  const settle = async (payload: EachBatchPayload, entries: Entry<z.output<S>>[]): Promise<void> => {
    const [first, ...others] = entries;
    if (first === undefined) return;
    const events = entries.flatMap(({ event }) => event ?? []);
    if (others.length === 0) {
      first.reason = await handleAlone(payload, events);
      first.isSettled = true;
      return beat(payload);
    }
    try {
      await untilAvailable(payload, () => options.handle(events), options.isUnavailable);
      for (const entry of entries) entry.isSettled = true;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      log.warn({ err: error, topic, count: events.length }, "batch failed; trying its halves");
      await beat(payload);
      const middle = Math.ceil(entries.length / 2);
      await settle(payload, entries.slice(0, middle));
      await settle(payload, entries.slice(middle));
    }
  };

  /** @returns why the event is dead, or undefined if it was handled */
  const handleAlone = async (
    payload: EachBatchPayload,
    event: Received<z.output<S>>[],
  ): Promise<string | undefined> => {
    for (let failures = 0; ; ) {
      let startedAt = 0;
      const attempt = () => {
        startedAt = performance.now();
        return options.handle(event);
      };
      try {
        await untilAvailable(payload, attempt, options.isUnavailable);
        return undefined;
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        patience.spend(performance.now() - startedAt);
        failures += 1;
        log.warn({ err: error, topic, offset: event[0]?.offset, failures }, "event failed");
        const waitMs = backoffMs(failures - 1, HANDLE_BACKOFF);
        if (failures >= HANDLE_ATTEMPTS_MAX || !patience.trySpend(waitMs)) {
          return `handler failed ${failures === 1 ? "once" : `${failures} times`}: ${(error as Error).message}`;
        }
        await pause(waitMs, stopping.signal);
        // Without its waits it would be dead too soon; whoever gets the partition begins anew.
        if (stopping.signal.aborted) throw new Interrupted(error);
        await beat(payload);
      }
    }
  };

  /** Runs `work`, and again while its error means "not now", keeping our place in the group meanwhile. */
  const untilAvailable = async (
    payload: EachBatchPayload,
    work: () => Promise<void>,
    isUnavailable: (error: unknown) => boolean,
  ) => {
    for (let attempts = 0; ; attempts++) {
      try {
        await withHeartbeats(payload, work);
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

  /** Keeps our place in the group while `work` runs. A rebalance meanwhile is found by the next `beat`. */
  const withHeartbeats = async (payload: EachBatchPayload, work: () => Promise<void>) => {
    const startedAt = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - startedAt < HANDLE_MS_MAX) payload.heartbeat().catch(() => {});
    }, HEARTBEAT_INTERVAL_MS);
    try {
      await work();
    } finally {
      clearInterval(timer);
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
