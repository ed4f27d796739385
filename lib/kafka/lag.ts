import type { Admin } from "kafkajs";
import type { Kafka } from "./client.ts";
import type { ConsumerGroup } from "./groups.ts";

export interface LagReader {
  /**
   * @returns how many messages of its topic a group has not handled yet
   * @throws what the client throws; the next call connects anew
   */
  read(): Promise<number>;
  close(): Promise<void>;
}

/** Reads how far a consumer group is behind; connects when it is asked first. Not for concurrent calls. */
export function createLagReader(kafka: Kafka, { groupId, topic }: ConsumerGroup): LagReader {
  let current: Admin | undefined;
  const discard = async () => {
    const admin = current;
    current = undefined;
    await admin?.disconnect().catch(() => {});
  };
  return {
    async read() {
      try {
        if (current === undefined) {
          current = kafka.admin();
          await current.connect();
        }
        // Before the committed offsets, which only grow: so nothing is counted that was handled meanwhile.
        const ends = await current.fetchTopicOffsets(topic);
        const [fetched] = await current.fetchOffsets({ groupId, topics: [topic] });
        const committedOf = new Map(fetched?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
        const lags = ends.map(({ partition, low, high }) => {
          const committed = committedOf.get(partition) ?? -1;
          // Without a committed offset the group begins at the oldest message.
          return Math.max(Number(high) - (committed < 0 ? Number(low) : committed), 0);
        });
        return lags.reduce((sum, lag) => sum + lag, 0);
      } catch (error) {
        await discard();
        throw error;
      }
    },
    close: discard,
  };
}
