import type { Admin } from "kafkajs";
import type { ConsumerGroup } from "../../lib/kafka/groups.ts";
import type { Tally } from "./report.ts";

/**
 * Each group has handled every message that is older than the bound. What it has not handled yet is its lag, which is
 * shown.
 *
 * @param groups with the topic of each
 */
export async function checkConsumerLag(
  admin: Admin,
  groups: readonly ConsumerGroup[],
  bounds: { lagBoundMs: number },
  tally: Tally,
): Promise<void> {
  const notes: string[] = [];
  for (const { groupId, topic } of groups) {
    // Before the committed offsets, which only grow: so a message is never taken for unhandled that was handled.
    const due = await admin.fetchTopicOffsetsByTimestamp(topic, Date.now() - bounds.lagBoundMs);
    const ends = await admin.fetchTopicOffsets(topic);
    const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] });
    let lag = 0;
    for (const { partition, low, high } of ends) {
      tally.checked += 1;
      const committed = Number(fetched?.partitions.find((other) => other.partition === partition)?.offset ?? -1);
      // Without a committed offset the group begins at the oldest message.
      const next = committed < 0 ? Number(low) : committed;
      lag += Math.max(Number(high) - next, 0);
      const dueEnd = Number(due.find((other) => other.partition === partition)?.offset ?? low);
      if (next >= dueEnd) continue;
      tally.add(
        () => `group ${groupId}, topic ${topic}, partition ${partition}: handled up to ${next}, due up to ${dueEnd}`,
      );
    }
    notes.push(`${groupId} ${lag}`);
  }
  tally.note = `behind: ${notes.join(", ")}`;
}
