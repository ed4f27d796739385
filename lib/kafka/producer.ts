import { setTimeout as delay } from "node:timers/promises";
import { type Kafka, Partitioners, type Producer } from "kafkajs";

export interface OutgoingMessage {
  topic: string;
  /** Chosen by the key if it is not given. */
  partition?: number;
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers?: Record<string, string>;
}

export interface EventProducer {
  /** Connects and learns where the topics lie, ahead of the first send, which would otherwise wait for it; else nothing. */
  connect(): Promise<void>;
  /** Resolves when all in-sync replicas have all messages; messages of one key keep their order. */
  send(messages: OutgoingMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** Messages, and bytes of their keys and values, per request: a batch of one partition must stay below the brokers' 1 MiB. */
const CHUNK_MESSAGES_MAX = 500;
const CHUNK_BYTES_MAX = 512 * 1024;

/**
 * An idempotent producer with `acks=all`. Not for concurrent sends: the order of a key would be lost.
 *
 * @param options.topics that `connect` asks about
 * @param options.retries attempts inside one send before it fails; the caller decides what then
 * @param options.timeoutMs after which a send has failed, connecting included; what the brokers have by then, they keep
 */
export function createEventProducer(
  kafka: Kafka,
  options: { topics?: readonly string[]; retries?: number; timeoutMs?: number } = {},
): EventProducer {
  let current: Promise<Producer> | undefined;

  const connect = async (): Promise<Producer> => {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: options.retries ?? 3 },
    });
    try {
      await producer.connect();
      const topicMessages = (options.topics ?? []).map((topic) => ({ topic, messages: [] }));
      if (topicMessages.length > 0) await producer.sendBatch({ acks: -1, topicMessages });
      return producer;
    } catch (error) {
      producer.disconnect().catch(() => {});
      throw error;
    }
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
  const sendAll = async (messages: OutgoingMessage[], signal: AbortSignal) => {
    const producer = await connected();
    for (const chunk of toChunks(messages)) {
      if (signal.aborted) return;
      const byTopic = Map.groupBy(chunk, (message) => message.topic);
      await producer.sendBatch({
        acks: -1,
        topicMessages: [...byTopic].map(([topic, group]) => ({
          topic,
          messages: group.map(({ topic: _topic, ...message }) => message),
        })),
      });
    }
  };

  return {
    async connect() {
      try {
        await connected();
      } catch (error) {
        discard();
        throw error;
      }
    },
    async send(messages) {
      const ending = new AbortController();
      const sent = sendAll(messages, ending.signal);
      try {
        await (options.timeoutMs === undefined
          ? sent
          : Promise.race([sent, failAfter(options.timeoutMs, ending.signal)]));
      } catch (error) {
        discard();
        throw error;
      } finally {
        ending.abort();
      }
    },
    async close() {
      const producer = await current?.catch(() => undefined);
      await producer?.disconnect();
    },
  };
}

async function failAfter(ms: number, signal: AbortSignal): Promise<never> {
  await delay(ms, undefined, { signal });
  throw new Error(`Kafka has not acknowledged within ${ms} ms`);
}

/** @returns the messages in their order, cut where the next one would exceed a bound */
function toChunks(messages: OutgoingMessage[]): OutgoingMessage[][] {
  const chunks: OutgoingMessage[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.key ?? "") + Buffer.byteLength(message.value ?? "");
    const chunk = chunks.at(-1);
    if (chunk === undefined || chunk.length >= CHUNK_MESSAGES_MAX || bytes + size > CHUNK_BYTES_MAX) {
      chunks.push([message]);
      bytes = size;
    } else {
      chunk.push(message);
      bytes += size;
    }
  }
  return chunks;
}
