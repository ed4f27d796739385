import type { Kafka, KafkaMessage } from "kafkajs";
import { type DeadLetterPlace, formatPlace, readHeaders } from "../../lib/kafka/dead-letter.ts";
import { findDeadLetters } from "../../lib/kafka/find-dead-letters.ts";
import { scanTopic } from "../../lib/kafka/scan-topic.ts";
import { NoDeadLetterError } from "./no-dead-letter.ts";
import { printable } from "./printable.ts";

/** @returns everything that is known of a dead letter: state, headers, key and value, JSON in lines */
export async function showDeadLetter(kafka: Kafka, place: DeadLetterPlace): Promise<string> {
  const letter = (await findDeadLetters(kafka, place.topic)).find(
    ({ partition, offset }) => partition === place.partition && offset === place.offset,
  );
  let message: KafkaMessage | undefined;
  await scanTopic(kafka, place.topic, (partition, messages) => {
    if (partition === place.partition) message ??= messages.find(({ offset }) => offset === place.offset);
  });
  if (letter === undefined || message === undefined) throw new NoDeadLetterError([place]);
  const { settled, key } = letter;
  const facts = {
    id: formatPlace(place),
    state: settled === null ? "open" : `${settled.outcome} at ${settled.time}`,
    key: key ?? "(none)",
    ...readHeaders(message),
  };
  const width = Math.max(...Object.keys(facts).map((name) => name.length));
  const lines = Object.entries(facts).map(([name, text]) => `${name.padEnd(width)}  ${printable(text, 2_000)}`);
  return [...lines, "", formatValue(message.value)].join("\n");
}

function formatValue(value: Buffer | null): string {
  if (value === null) return "(no value)";
  const text = value.toString();
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not for the terminal to interpret.
    return JSON.stringify(text);
  }
}
