import { type Kafka, Partitioners, type Producer } from "kafkajs";

export interface OutgoingMessage {
  topic: string;
  key: string | null;
  value: string | Buffer;
  headers?: Record<string, string>;
}

export interface EventProducer {
  /** Connects and learns where these topics lie, ahead of the first send, which would otherwise wait for it. */
  connect(topics: string[]): Promise<void>;
  /** Resolves when all in-sync replicas have all messages; messages of one key keep their order. */
  send(messages: OutgoingMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** Messages per request and topic; with the largest event far below the brokers' 1 MiB. */
const CHUNK_MESSAGES = 500;

/**
 * An idempotent producer with `acks=all`. Not for concurrent sends: the order of a key would be lost.
 *
 * @param options.retries attempts inside one send before it fails; the caller decides what then
 */
export function createEventProducer(kafka: Kafka, options: { retries?: number } = {}): EventProducer {
  let current: Promise<Producer> | undefined;

  const connect = async (): Promise<Producer> => {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: options.retries ?? 3 },
    });
    await producer.connect();
    return producer;
  };
  // After an error nobody knows which sequence numbers the brokers have seen, so the next send begins with a new one.
  const discard = () => {
    const broken = current;
    current = undefined;
    broken?.then((producer) => producer.disconnect()).catch(() => {});
  };

  const connected = async (): Promise<Producer> => {
    current ??= connect();
    return current;
  };

  return {
    async connect(topics) {
      try {
        const producer = await connected();
        await producer.sendBatch({ acks: -1, topicMessages: topics.map((topic) => ({ topic, messages: [] })) });
      } catch (error) {
        discard();
        throw error;
      }
    },
    async send(messages) {
      try {
        const producer = await connected();
        for (let from = 0; from < messages.length; from += CHUNK_MESSAGES) {
          const byTopic = Map.groupBy(messages.slice(from, from + CHUNK_MESSAGES), (message) => message.topic);
          await producer.sendBatch({
            acks: -1,
            topicMessages: [...byTopic].map(([topic, group]) => ({
              topic,
              messages: group.map(({ key, value, headers }) => ({ key, value, ...(headers ? { headers } : {}) })),
            })),
          });
        }
      } catch (error) {
        discard();
        throw error;
      }
    },
    async close() {
      const producer = await current?.catch(() => undefined);
      await producer?.disconnect();
    },
  };
}
