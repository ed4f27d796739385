import type { Kafka } from "../../lib/kafka/client.ts";
import { formatPlace } from "../../lib/kafka/dead-letter.ts";
import { findDeadLetters } from "../../lib/kafka/find-dead-letters.ts";
import type { Tally } from "./report.ts";

/**
 * Each dead letter was replayed or discarded.
 *
 * @param topics of dead letters
 */
export async function checkDeadLetters(kafka: Kafka, topics: readonly string[], tally: Tally): Promise<void> {
  for (const topic of topics) {
    for (const letter of await findDeadLetters(kafka, topic)) {
      tally.checked += 1;
      if (letter.settled === null) tally.add(() => `${formatPlace(letter)}: ${letter.reason}`);
    }
  }
}
