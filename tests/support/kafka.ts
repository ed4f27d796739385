import { pino } from "pino";
import { newId } from "../../lib/ids.ts";
import { connectKafka } from "../../lib/kafka/client.ts";
import { deadLetterTopic } from "../../lib/kafka/dead-letter.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { topicConfig } from "../../lib/kafka/topics.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

export const silentLog = pino({ level: "silent" });
export const metrics = createMetrics();
export const kafka = connectKafka(servers.kafkaBrokers, "test", silentLog);

/** A topic of a test's own, with its dead letters; on as many brokers as there are. */
export async function createTestTopic(prefix: string, numPartitions = 3): Promise<string> {
  const [topic = ""] = await createTestTopics(prefix, 1, numPartitions);
  return topic;
}

/** Several such topics at once, which takes no longer than one. */
export async function createTestTopics(prefix: string, count: number, numPartitions = 3): Promise<string[]> {
  const topics = Array.from({ length: count }, () => `${prefix}-${newId()}`);
  const names = topics.flatMap((topic) => [topic, deadLetterTopic(topic)]);
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: false,
    topics: names.map((topic) => ({
      topic,
      numPartitions,
      replicationFactor: servers.kafkaBrokers.length,
      configEntries: topicConfig(topic, { minInsyncReplicas: 2 }),
    })),
  });
  // Not `waitForLeaders`: it fails where the broker that is asked has not heard of them yet.
  await until("the topics have leaders", async () => {
    const metadata = await admin.fetchTopicMetadata({ topics: names });
    return metadata.topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0));
  });
  await admin.disconnect();
  return topics;
}

/** Sends raw values, in order. */
export async function produce(topic: string, messages: { key: string; value: string | Buffer }[]): Promise<void> {
  const producer = createEventProducer(kafka);
  await until("it is sent", () => producer.send(messages.map((message) => ({ topic, ...message }))).then(() => true));
  await producer.close();
}

export interface Consumed {
  key: string | null;
  value: string;
  partition: number;
  headers: Record<string, string>;
}

/** Collects everything in a topic from its beginning; `stop` when done. */
export async function collect(topic: string): Promise<{ messages: Consumed[]; stop: () => Promise<void> }> {
  const messages: Consumed[] = [];
  const consumer = kafka.consumer({ groupId: `collect-${newId()}` });
  await consumer.connect();
  // A broker may not have heard of a topic that another one has just told of.
  await until("it is subscribed", () => consumer.subscribe({ topic, fromBeginning: true }).then(() => true));
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      messages.push({
        partition,
        key: message.key?.toString() ?? null,
        value: message.value?.toString() ?? "",
        headers: Object.fromEntries(
          Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
        ),
      });
    },
  });
  return { messages, stop: () => consumer.disconnect() };
}

/** @returns everything that is in a topic now, in order per partition */
export async function readTopic(topic: string): Promise<Consumed[]> {
  const admin = kafka.admin();
  await admin.connect();
  const partitions = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const count = partitions.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  const { messages, stop } = await collect(topic);
  await until(`${count} messages of ${topic} are read`, () => messages.length >= count);
  await stop();
  return messages;
}
