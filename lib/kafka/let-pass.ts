import type { Admin, Kafka } from "kafkajs";
import { fetchEnds } from "./fetch-ends.ts";
import type { ConsumerGroup } from "./groups.ts";

/**
 * A group that nobody joins: its offsets say up to where the messages of a partition may die beyond the limit. So what an
 * operator says lasts, whoever has the partition, and needs no message that others would have to read over.
 */
const passGroupOf = (groupId: string) => `${groupId}.let-pass`;

/** Up to where the messages of a partition may die, that one not included. */
export interface Pass {
  partition: number;
  offset: string;
}

/**
 * Lets whatever the group can't handle of what is in the topic now go to the dead letters, however much that is.
 *
 * @param partitions which; all by default
 * @returns up to where, by partition
 * @throws Error when there is no such topic or partition
 */
export async function letPass(kafka: Kafka, { groupId, topic }: ConsumerGroup, partitions?: number[]): Promise<Pass[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = await fetchEnds(admin, topic);
    const passes = (partitions ?? ends.map(({ partition }) => partition)).map((wanted) => {
      const end = ends.find(({ partition }) => partition === wanted);
      if (end === undefined) throw new Error(`There is no partition ${wanted} of ${topic}`);
      return { partition: wanted, offset: end.high };
    });
    await admin.setOffsets({ groupId: passGroupOf(groupId), topic, partitions: passes });
    return passes;
  } finally {
    await admin.disconnect();
  }
}

export interface Passage {
  /** @returns whether the message at this place may die beyond the limit; not, while Kafka does not say so */
  isOpen(partition: number, offset: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Asks for what `letPass` said. Connects when it is asked for the first time. */
export function createPassage(kafka: Kafka, { groupId, topic }: ConsumerGroup): Passage {
  let connecting: Promise<Admin> | undefined;
  const connect = async () => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };
  return {
    async isOpen(partition, offset) {
      connecting ??= connect();
      const current = connecting;
      try {
        const admin = await current;
        const [found] = await admin.fetchOffsets({ groupId: passGroupOf(groupId), topics: [topic] });
        const pass = found?.partitions.find((one) => one.partition === partition);
        return pass !== undefined && BigInt(pass.offset) > BigInt(offset);
      } catch {
        // Another partition may have met the same, and connected anew.
        if (connecting === current) connecting = undefined;
        void current.then((admin) => admin.disconnect()).catch(() => {});
        return false;
      }
    },
    async close() {
      await connecting?.then((admin) => admin.disconnect()).catch(() => {});
    },
  };
}
