import type { Kafka, KafkaMessage } from "kafkajs";
import { TOPICS } from "../events.ts";
import {
  type DeadLetterPlace,
  DLT_HEADER,
  deadLetterTopic,
  type Outcome,
  readHeaders,
  SETTLEMENT_HEADER,
} from "./dead-letter.ts";
import { scanTopic } from "./scan-topic.ts";

/** What can be said about a dead letter without showing what is in it. */
export interface DeadLetter extends DeadLetterPlace {
  /** When it died, RFC 3339. */
  time: string;
  reason: string;
  /** Where the message stood, such as `player/3/1042`, and the consumer group that could not process it. */
  origin: string;
  group: string;
  key: string | null;
  /** Of the event in it, as far as it is one. */
  eventId: string | null;
  eventType: string | null;
  /** null: it is open. */
  settled: { outcome: Outcome; time: string } | null;
}

export const DEAD_LETTER_TOPICS = Object.values(TOPICS).map(deadLetterTopic);

/** @returns the dead letters of a topic, oldest first in each partition, and what became of each */
export async function findDeadLetters(kafka: Kafka, topic: string): Promise<DeadLetter[]> {
  const found = new Map<string, DeadLetter>();
  await scanTopic(kafka, topic, (partition, messages) => {
    for (const message of messages) {
      const headers = readHeaders(message);
      const settles = headers[SETTLEMENT_HEADER.offset];
      if (settles === undefined) {
        found.set(`${partition}/${message.offset}`, describe({ topic, partition, offset: message.offset }, message));
        continue;
      }
      const letter = found.get(`${partition}/${settles}`);
      const outcome = headers[SETTLEMENT_HEADER.outcome] as Outcome;
      if (letter !== undefined) letter.settled = { outcome, time: headers[SETTLEMENT_HEADER.time] ?? "" };
    }
  });
  return [...found.values()].sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
}

/**
 * @param topics of dead letters; all by default
 * @returns how many dead letters were neither replayed nor discarded
 */
export async function countOpenDeadLetters(kafka: Kafka, topics: string[] = DEAD_LETTER_TOPICS): Promise<number> {
  const found = await Promise.all(topics.map((topic) => findDeadLetters(kafka, topic)));
  return found.flat().filter(({ settled }) => settled === null).length;
}

function describe(place: DeadLetterPlace, message: KafkaMessage): DeadLetter {
  const headers = readHeaders(message);
  const { id, type } = readEvent(message.value);
  return {
    ...place,
    time: headers[DLT_HEADER.time] ?? new Date(Number(message.timestamp)).toISOString(),
    reason: headers[DLT_HEADER.reason] ?? "no reason given",
    origin: `${headers[DLT_HEADER.topic]}/${headers[DLT_HEADER.partition]}/${headers[DLT_HEADER.offset]}`,
    group: headers[DLT_HEADER.group] ?? "unknown",
    key: message.key?.toString() ?? null,
    eventId: typeof id === "string" ? id : null,
    eventType: typeof type === "string" ? type : null,
    settled: null,
  };
}

function readEvent(value: Buffer | null): { id?: unknown; type?: unknown } {
  try {
    return JSON.parse(value?.toString() ?? "") ?? {};
  } catch {
    return {};
  }
}
