import type { KafkaMessage } from "kafkajs";
import type { z } from "zod";
import { backoffMs } from "../../backoff.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { continueTrace } from "../../telemetry/trace.ts";
import { isKafkaError } from "../client.ts";
import { toDeadLetter } from "../dead-letter.ts";
import type { EventProducer } from "../producer.ts";
import { UNAVAILABLE_BACKOFF } from "./decide.ts";
import { Refused } from "./gate.ts";
import { receive } from "./parse-message.ts";
import { Interrupted } from "./place.ts";
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
  /** The one behind `last`, if the gate kept it back. */
  refused: Refused | undefined;
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
    if (typeof received === "string") return { message, event: undefined, reason: received, isSettled: false };
    return { message, event: received, reason: undefined, isSettled: false };
  });
  const { interruption, refused } = await outcomeOf(settleInOrder(entries, deps));
  // What was done before an interruption is kept, or a chunk that takes long might never get to its end.
  const open = entries.findIndex(({ isSettled }) => !isSettled);
  const settled = open === -1 ? entries : entries.slice(0, open);
  const dead = settled.flatMap(({ message, reason }) => (reason === undefined ? [] : [{ message, reason }]));
  if (dead.length > 0) {
    const unburied = await outcomeOf(bury(dead, deps));
    if (unburied.interruption !== undefined) return { last: undefined, ...unburied };
  }
  for (const entry of settled) report(entry, deps);
  metrics.messagesTotal.inc({ topic, outcome: "dead_lettered" }, dead.length);
  metrics.messagesTotal.inc({ topic, outcome: "handled" }, settled.length - dead.length);
  log.debug({ partition, count: settled.length, durationMs: performance.now() - startedAt }, "batch");
  return { last: settled.at(-1)?.message, interruption, refused };
}

/** @throws Interrupted, Refused */
async function settleInOrder<E>(entries: Entry<E>[], deps: SettleDeps<E>): Promise<void> {
  for (let from = 0; from < entries.length; ) {
    const next = entries[from] as Entry<E>;
    if (isEvent(next)) {
      const end = entries.findIndex((entry, index) => index > from && !isEvent(entry));
      const events = entries.slice(from, end === -1 ? undefined : end).filter(isEvent);
      await settle(events, deps);
      from += events.length;
    } else {
      await deps.gate.pass(next.message.offset, next.reason as string);
      deps.gate.count(true);
      next.isSettled = true;
      from += 1;
    }
  }
}

const isEvent = <E>(entry: Entry<E>): entry is EventEntry<E> => entry.event !== undefined;

async function outcomeOf(work: Promise<void>): Promise<Omit<Progress, "last">> {
  try {
    await work;
    return { interruption: undefined, refused: undefined };
  } catch (error) {
    if (error instanceof Interrupted) return { interruption: error, refused: undefined };
    if (error instanceof Refused) return { interruption: undefined, refused: error };
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
      place.stall("dependency", `Kafka takes no dead letter: ${(error as Error).message}`);
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
