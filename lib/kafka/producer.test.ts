import { expect, test } from "vitest";
import { collect, createTestTopic, kafka } from "../../tests/support/kafka.ts";
import { until } from "../../tests/support/until.ts";
import { createEventProducer } from "./producer.ts";

const PARTITIONS = 3;

test("a batch of several partitions is all there although a leader moved to a broker that had taken its own share", async () => {
  const topic = await createTestTopic("moved-leader", PARTITIONS);
  const producer = createEventProducer(kafka, { topics: [topic] });
  await producer.connect();
  await moveLeader(topic, 1);

  const batch = Array.from({ length: 60 }, (_, i) => ({ topic, key: `player-${i}`, value: String(i) }));
  await until("it is sent", () => producer.send(batch).then(() => true));
  await producer.close();

  const received = await collect(topic);
  await until("some are there", () => received.messages.length >= 30);
  await until("all are there", () => new Set(received.messages.map(({ value }) => value)).size === batch.length);
  await received.stop();
});

test("an admin client that knows the former leader of a partition still learns the topic's offsets", async () => {
  const topic = await createTestTopic("moved-offsets", 1);
  const admin = kafka.admin();
  await admin.connect();
  try {
    const before = await admin.fetchTopicOffsets(topic);
    await moveLeader(topic, 0);
    expect(await admin.fetchTopicOffsets(topic)).toEqual(before);
    expect(await admin.fetchTopicOffsetsByTimestamp(topic, 0)).toHaveLength(1);
  } finally {
    await admin.disconnect();
  }
});

/** Takes the partition's leader out of its replicas, so that another broker leads it. */
async function moveLeader(topic: string, partition: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const describe = async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    if (!found) throw new Error(`no partition ${partition} of ${topic}`);
    return found;
  };
  const before = await describe();
  const replicas = before.replicas.filter((id) => id !== before.leader);
  await admin.alterPartitionReassignments({
    topics: [{ topic, partitionAssignment: [{ partition, replicas }] }],
  });
  await until("another broker leads", async () => (await describe()).leader !== before.leader);
  expect((await describe()).leader).toBeGreaterThan(0);
  await admin.disconnect();
}
