import kafkajs from "kafkajs";
import postgres from "postgres";

/** What no event can do without: one message acknowledged by all and consumed, and one row that is committed. */
export interface Hop {
  /** @returns milliseconds from the send until the consumer has the message */
  send(): Promise<number>;
  /** @returns milliseconds of one prepared insert */
  insert(): Promise<number>;
  close(): Promise<void>;
}

const TOPIC = "bench-hop";

export async function startHop(brokers: string[], databaseUrl: string): Promise<Hop> {
  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const [admin, producer, consumer] = [kafka.admin(), kafka.producer(), kafka.consumer({ groupId: TOPIC })];
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1, replicationFactor: brokers.length }] });
  await admin.disconnect();
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic: TOPIC });
  let arrived = () => {};
  await consumer.run({ eachMessage: async () => arrived() });
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await sql`create table if not exists bench_hop (id bigint generated always as identity, text text)`;
  const hop: Hop = {
    async send() {
      const startedAt = performance.now();
      const arrival = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      await producer.send({ topic: TOPIC, acks: -1, messages: [{ key: "key", value: "x".repeat(500) }] });
      await arrival;
      return performance.now() - startedAt;
    },
    async insert() {
      const startedAt = performance.now();
      await sql`insert into bench_hop (text) values (${"x".repeat(500)})`;
      return performance.now() - startedAt;
    },
    async close() {
      await consumer.disconnect();
      await Promise.all([producer.disconnect(), sql.end()]);
    },
  };
  // The consumer has its partition when the first message comes.
  await hop.send();
  return hop;
}
