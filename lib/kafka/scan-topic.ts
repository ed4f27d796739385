import type { Kafka, KafkaMessage } from "kafkajs";
import { newId } from "../ids.ts";
import { fetchEnds } from "./fetch-ends.ts";

/**
 * Reads what a topic holds now, from its beginning, each message once and in order per partition; what comes meanwhile
 * is left out. It leaves nothing behind: our client can read only as a group, so that is one of its own, and deleted.
 *
 * @param visit gets a partition's messages, some at a time; awaited before the next ones
 * @throws what Kafka says, or `visit`
 */
export async function scanTopic(
  kafka: Kafka,
  topic: string,
  visit: (partition: number, messages: KafkaMessage[]) => Promise<void> | void,
): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await fetchEnds(admin, topic);
    const ends = new Map(
      offsets.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, BigInt(high)]),
    );
    if (ends.size === 0) return;
    const groupId = `scan-${newId()}`;
    await readUpTo(kafka, groupId, topic, ends, visit);
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}

async function readUpTo(
  kafka: Kafka,
  groupId: string,
  topic: string,
  ends: Map<number, bigint>,
  visit: (partition: number, messages: KafkaMessage[]) => Promise<void> | void,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: { restartOnFailure: async () => false },
  });
  const done = Promise.withResolvers<void>();
  consumer.on("consumer.crash", ({ payload }) => done.reject(payload.error));
  const positions = new Map<number, bigint>();
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { partition } = batch;
        const end = ends.get(partition);
        if (end === undefined) return;
        // From the beginning again after a change of leaders, since nothing is committed.
        const position = positions.get(partition) ?? 0n;
        const fresh = batch.messages.filter(({ offset }) => BigInt(offset) >= position && BigInt(offset) < end);
        try {
          await visit(partition, fresh);
        } catch (error) {
          return done.reject(error);
        }
        const next = BigInt(batch.lastOffset()) + 1n;
        positions.set(partition, next);
        if (next >= end) ends.delete(partition);
        if (ends.size === 0) done.resolve();
      },
    });
    await done.promise;
  } finally {
    await consumer.disconnect();
  }
}
