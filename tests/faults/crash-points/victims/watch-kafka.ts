import type { Consumer, Kafka, Producer } from "kafkajs";
import type { Reach } from "./steps.ts";

/** The brokers' smallest: so soon after a victim's death its successor gets its partitions. */
const SESSION_TIMEOUT_MS = 6_000;

/**
 * Kafka, with the steps "send" and "sent" (acknowledged) of a producer, and of a consumer "delivered" (with the
 * messages' offsets), "commit offset" and "offset committed" (with the offset).
 */
export function watchKafka(kafka: Kafka, reach: Reach): Kafka {
  return {
    admin: (config) => kafka.admin(config),
    logger: () => kafka.logger(),
    producer: (config) => watchProducer(kafka.producer(config), reach),
    consumer: (config) => watchConsumer(kafka.consumer({ ...config, sessionTimeout: SESSION_TIMEOUT_MS }), reach),
  };
}

function watchProducer(producer: Producer, reach: Reach): Producer {
  return {
    ...producer,
    async sendBatch(batch) {
      const count = (batch.topicMessages ?? []).reduce((sum, { messages }) => sum + messages.length, 0);
      if (count === 0) return producer.sendBatch(batch);
      reach("send", count);
      const acknowledged = await producer.sendBatch(batch);
      reach("sent", count);
      return acknowledged;
    },
  };
}

function watchConsumer(consumer: Consumer, reach: Reach): Consumer {
  return {
    ...consumer,
    run: ({ eachBatch, ...config } = {}) =>
      consumer.run({
        ...config,
        eachBatch: async (payload) => {
          reach(
            "delivered",
            payload.batch.messages.map(({ offset }) => Number(offset)),
          );
          await eachBatch?.({
            ...payload,
            async commitOffsetsIfNecessary(offsets) {
              const offset = Number(offsets?.topics[0]?.partitions[0]?.offset);
              reach("commit offset", offset);
              await payload.commitOffsetsIfNecessary(offsets);
              reach("offset committed", offset);
            },
          });
        },
      }),
  };
}
