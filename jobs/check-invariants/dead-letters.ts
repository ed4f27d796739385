import type { Admin } from "kafkajs";
import type { Tally } from "./report.ts";

/**
 * The topics are empty. A dead letter that was replayed still stands there until it is deleted or the topic forgets it,
 * and counts.
 *
 * @param topics of dead letters
 */
export async function checkDeadLetters(admin: Admin, topics: string[], tally: Tally): Promise<void> {
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      const [first, end] = [Number(low), Number(high)];
      tally.checked += 1;
      for (let offset = first; offset < end; offset++) {
        tally.add(() => `topic ${topic}, partition ${partition}, offset ${offset}`);
      }
    }
  }
}
