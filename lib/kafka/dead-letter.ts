import type { KafkaMessage } from "kafkajs";
import type { OutgoingMessage } from "./producer.ts";

const SUFFIX = ".dlt";

/** @returns the topic that takes what `topic`'s consumers can't process */
export const deadLetterTopic = (topic: string): string => `${topic}${SUFFIX}`;
export const isDeadLetterTopic = (topic: string): boolean => topic.endsWith(SUFFIX);
/** @returns the topic whose dead letters `topic` holds */
export const originTopic = (topic: string): string => topic.slice(0, -SUFFIX.length);

/** Headers of a dead letter; what the message carried itself is kept beside them. */
export const DLT_HEADER = {
  reason: "dlt-reason",
  topic: "dlt-topic",
  partition: "dlt-partition",
  offset: "dlt-offset",
  group: "dlt-group",
  time: "dlt-time",
} as const;

/** Header of a message that comes from the dead letters; if it dies again, its dead letter has it too. */
export const REPLAYED_FROM_HEADER = "dlt-replayed-from";

/**
 * Headers of a settlement: a message without key and value that stands behind a dead letter, in its partition, and says
 * what became of it. A topic can't be changed, and a group's offset can't say which of several are settled.
 */
export const SETTLEMENT_HEADER = {
  offset: "dlt-settled-offset",
  outcome: "dlt-outcome",
  time: "dlt-time",
} as const;

export type Outcome = "replayed" | "discarded";

/** Where a dead letter is. */
export interface DeadLetterPlace {
  /** The topic of the dead letters. */
  topic: string;
  partition: number;
  offset: string;
}

/** Characters of a reason that are kept. */
const REASON_LENGTH_MAX = 1_000;

/**
 * @param origin where the message stood and who could not process it
 * @param reason why, for the person who decides about a replay
 * @returns the message to send: key and value unchanged
 */
export function toDeadLetter(
  message: KafkaMessage,
  origin: { topic: string; partition: number; groupId: string },
  reason: string,
): OutgoingMessage {
  return {
    topic: deadLetterTopic(origin.topic),
    key: message.key,
    value: message.value,
    headers: {
      ...readHeaders(message),
      [DLT_HEADER.reason]: reason.slice(0, REASON_LENGTH_MAX),
      [DLT_HEADER.topic]: origin.topic,
      [DLT_HEADER.partition]: String(origin.partition),
      [DLT_HEADER.offset]: message.offset,
      [DLT_HEADER.group]: origin.groupId,
      [DLT_HEADER.time]: new Date().toISOString(),
    },
  };
}

/** @returns the message to send again to where it died: as it was, and where it comes from */
export function toReplay(message: KafkaMessage, place: DeadLetterPlace): OutgoingMessage {
  const own = Object.entries(readHeaders(message)).filter(([name]) => !name.startsWith("dlt-"));
  return {
    topic: originTopic(place.topic),
    key: message.key,
    value: message.value,
    headers: { ...Object.fromEntries(own), [REPLAYED_FROM_HEADER]: formatPlace(place) },
  };
}

/** @returns the message that says what became of a dead letter */
export function toSettlement({ topic, partition, offset }: DeadLetterPlace, outcome: Outcome): OutgoingMessage {
  return {
    topic,
    partition,
    key: null,
    value: null,
    headers: {
      [SETTLEMENT_HEADER.offset]: offset,
      [SETTLEMENT_HEADER.outcome]: outcome,
      [SETTLEMENT_HEADER.time]: new Date().toISOString(),
    },
  };
}

/** How people name a dead letter, such as `player.dlt/3/17`. */
export const formatPlace = ({ topic, partition, offset }: DeadLetterPlace): string => `${topic}/${partition}/${offset}`;

/** @returns a message's headers as strings; of a repeated one the first */
export function readHeaders(message: Pick<KafkaMessage, "headers">): Record<string, string> {
  return Object.fromEntries(
    Object.entries(message.headers ?? {}).flatMap(([name, value]) => {
      const first = Array.isArray(value) ? value[0] : value;
      return first === undefined ? [] : [[name, first.toString()]];
    }),
  );
}
