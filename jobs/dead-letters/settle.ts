import type { Kafka } from "../../lib/kafka/client.ts";
import {
  type DeadLetterPlace,
  formatPlace,
  type Outcome,
  toReplay,
  toSettlement,
} from "../../lib/kafka/dead-letter.ts";
import { findDeadLetters } from "../../lib/kafka/find-dead-letters.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { scanTopic } from "../../lib/kafka/scan-topic.ts";
import { NoDeadLetterError } from "./no-dead-letter.ts";

/**
 * Replays or discards dead letters: those that are named, whatever became of them before, or all that are open. Those of
 * a player are sent in the order in which they died. An end in the middle may leave some sent that still count as open.
 *
 * @returns a line for each
 * @throws NoDeadLetterError, before anything is done, if one of those named is not there
 */
export async function settleDeadLetters(
  kafka: Kafka,
  outcome: Outcome,
  which: { places: DeadLetterPlace[] } | { topics: string[] },
): Promise<string> {
  const chosen = "places" in which ? await findNamed(kafka, which.places) : await findOpen(kafka, which.topics);
  const producer = createEventProducer(kafka);
  const lines: string[] = [];
  try {
    for (const [topic, places] of Map.groupBy(chosen, (place) => place.topic)) {
      const ids = new Set(places.map(formatPlace));
      await scanTopic(kafka, topic, async (partition, messages) => {
        const letters = messages
          .map((message) => ({ message, place: { topic, partition, offset: message.offset } }))
          .filter(({ place }) => ids.has(formatPlace(place)));
        if (outcome === "replayed") await producer.send(letters.map(({ message, place }) => toReplay(message, place)));
        await producer.send(letters.map(({ place }) => toSettlement(place, outcome)));
        lines.push(...letters.map(({ place }) => `${outcome} ${formatPlace(place)}`));
      });
    }
  } catch (error) {
    const done = lines.length === 0 ? "nothing was" : `these were:\n${lines.join("\n")}\n`;
    throw new Error(`Not all could be ${outcome}, ${done}: ${(error as Error).message}`, { cause: error });
  } finally {
    await producer.close();
  }
  return lines.length === 0 ? "nothing is open" : lines.join("\n");
}

async function findNamed(kafka: Kafka, places: DeadLetterPlace[]): Promise<DeadLetterPlace[]> {
  const topics = [...new Set(places.map(({ topic }) => topic))];
  const found = await Promise.all(topics.map((topic) => findDeadLetters(kafka, topic)));
  const ids = new Set(found.flat().map(formatPlace));
  const missing = places.filter((place) => !ids.has(formatPlace(place)));
  if (missing.length > 0) throw new NoDeadLetterError(missing);
  return places;
}

async function findOpen(kafka: Kafka, topics: string[]): Promise<DeadLetterPlace[]> {
  const found = await Promise.all(topics.map((topic) => findDeadLetters(kafka, topic)));
  return found.flat().filter(({ settled }) => settled === null);
}
