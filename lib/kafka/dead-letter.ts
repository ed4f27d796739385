import type { KafkaMessage } from "kafkajs";
import type { OutgoingMessage } from "./producer.ts";

/** @returns the topic that takes what `topic`'s consumers can't process */
export const deadLetterTopic = (topic: string): string => `${topic}.dlt`;

/** Headers of a dead letter; what the message carried itself is kept beside them. */
export const DLT_HEADER = {
  reason: "dlt-reason",
  topic: "dlt-topic",
  partition: "dlt-partition",
  offset: "dlt-offset",
  group: "dlt-group",
  time: "dlt-time",
} as const;

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

/** @returns a message's headers as strings; of a repeated one the first */
export function readHeaders(message: Pick<KafkaMessage, "headers">): Record<string, string> {
  return Object.fromEntries(
    Object.entries(message.headers ?? {}).flatMap(([name, value]) => {
      const first = Array.isArray(value) ? value[0] : value;
      return first === undefined ? [] : [[name, first.toString()]];
    }),
  );
}
