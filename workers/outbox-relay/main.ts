import { connectKafka } from "../../lib/kafka/client.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { runRelay } from "../../lib/outbox/relay.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { config as schema } from "./config.ts";

/** A relay whose machine froze holds the lock no longer than this, in milliseconds; a send takes less. */
const SILENCE_MAX_MS = 5_000;

await runProcess("outbox-relay", schema, async ({ config, log, metrics, health, onStop }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    connectionsMax: 2,
    idleInTransactionTimeoutMs: SILENCE_MAX_MS,
  });
  onStop("database", database.close);
  const producer = createEventProducer(connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log));
  onStop("producer", producer.close);
  health.addCheck("postgres", database.check);

  const relay = runRelay(database, producer, log, (count) => metrics.outboxPublishedTotal.inc(count));
  onStop("relay", relay.stop);
});
