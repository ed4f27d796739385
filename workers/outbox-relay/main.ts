import { TOPICS } from "../../lib/events.ts";
import { connectKafka } from "../../lib/kafka/client.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { runRelay } from "../../lib/outbox/relay.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { config as schema } from "./config.ts";

/** Milliseconds. Two attempts at a send end well before the silence after which the server ends the transaction. */
const SEND_TIMEOUT_MS = 3_000;
const SEND_RETRIES = 1;
/** Milliseconds; a relay whose machine froze holds the lock no longer than this. */
const SILENCE_MAX_MS = 10_000;

await runProcess("outbox-relay", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    connectionsMax: 2,
    onCircuitChange,
    idleInTransactionTimeoutMs: SILENCE_MAX_MS,
  });
  onStop("database", database.close);
  const producer = createEventProducer(connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log, SEND_TIMEOUT_MS), {
    retries: SEND_RETRIES,
  });
  onStop("producer", producer.close);
  health.addCheck("postgres", database.check);
  producer
    .connect(Object.values(TOPICS))
    .catch((error: unknown) => log.warn({ err: error }, "Kafka is not there yet; the first send connects"));

  const relay = runRelay(database, producer, log, (count) => metrics.outboxPublishedTotal.inc(count));
  onStop("relay", relay.stop);
});
