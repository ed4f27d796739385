import type { KafkaMessage } from "kafkajs";
import type { z } from "zod";
import { backoffMs } from "../../backoff.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { continueTrace } from "../../telemetry/trace.ts";
import { isKafkaError } from "../client.ts";
import { toDeadLetter } from "../dead-letter.ts";
import type { EventProducer } from "../producer.ts";
import { UNAVAILABLE_BACKOFF } from "./decide.ts";
import { Interrupted } from "./place.ts";
import { receive } from "./received.ts";
import { type Entry, type EventEntry, type SettleDeps, settle } from "./settle.ts";

export interface ChunkDeps<S extends z.ZodType> extends SettleDeps<z.output<S>> {
  schema: S;
  /** Where the messages stand, and who handles them. */
  origin: { topic: string; partition: number; groupId: string };
  deadLetters: Pick<EventProducer, "send">;
  metrics: Metrics;
}

/** How far a chunk came. */
export interface Progress {
  /** The last message up to which all are handled or dead. */
  last: KafkaMessage | undefined;
  /** What kept it from the rest. */
  interruption: Interrupted | undefined;
}

/** Handles some messages of a partition: those that can't be go to the dead letters. What was done is kept, however it ends. */
export async function handleChunk<S extends z.ZodType>(
  messages: KafkaMessage[],
  deps: ChunkDeps<S>,
): Promise<Progress> {
  const startedAt = performance.now();
  const { origin, log, metrics } = deps;
  const { topic, partition } = origin;
  const entries = messages.map((message): Entry<z.output<S>> => {
    const received = receive(deps.schema, partition, message);
    if (typeof received === "string") return { message, event: undefined, reason: received, isSettled: true };
    return { message, event: received, reason: undefined, isSettled: false };
  });
  const interruption = await interruptionOf(settle(entries.filter(isEvent), deps));
  // What was done before an interruption is kept, or a chunk that takes long might never get to its end.
  const open = entries.findIndex(({ isSettled }) => !isSettled);
  const settled = open === -1 ? entries : entries.slice(0, open);
  const dead = settled.flatMap(({ message, reason }) => (reason === undefined ? [] : [{ message, reason }]));
  if (dead.length > 0) {
    const unburied = await interruptionOf(bury(dead, deps));
    if (unburied !== undefined) return { last: undefined, interruption: unburied };
  }
  for (const entry of settled) report(entry, deps);
  metrics.messagesTotal.inc({ topic, outcome: "dead_lettered" }, dead.length);
  metrics.messagesTotal.inc({ topic, outcome: "handled" }, settled.length - dead.length);
  log.debug({ partition, count: settled.length, durationMs: performance.now() - startedAt }, "batch");
  return { last: settled.at(-1)?.message, interruption };
}

const isEvent = <E>(entry: Entry<E>): entry is EventEntry<E> => entry.event !== undefined;

async function interruptionOf(work: Promise<void>): Promise<Interrupted | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof Interrupted) return error;
    throw error;
  }
}

/** Tries for as long as it takes: without its dead letter a message must not be passed over. */
async function bury<S extends z.ZodType>(
  dead: { message: KafkaMessage; reason: string }[],
  { origin, deadLetters, place, log }: ChunkDeps<S>,
): Promise<void> {
  const letters = dead.map(({ message, reason }) => toDeadLetter(message, origin, reason));
  for (let waits = 0; ; waits++) {
    try {
      return await place.keepDuring(() => deadLetters.send(letters));
    } catch (error) {
      if (!isKafkaError(error)) throw error;
      log.warn({ err: error, attempts: waits }, "dependency unavailable; waiting");
      place.stall(`Kafka takes no dead letter: ${(error as Error).message}`);
      await place.wait(backoffMs(waits, UNAVAILABLE_BACKOFF), error);
    }
  }
}

function report<S extends z.ZodType>(
  { message: { offset }, event, reason }: Entry<z.output<S>>,
  { origin: { partition }, log }: ChunkDeps<S>,
): void {
  if (reason !== undefined) {
    log.error({ partition, offset, reason }, "dead letter");
    return;
  }
  const { subject, id, type } = (event?.event ?? {}) as { subject?: string; id?: string; type?: string };
  const { traceId } = continueTrace(event?.traceparent);
  log.info({ traceId, partition, offset, eventId: id, type, playerId: subject }, "message");
}
