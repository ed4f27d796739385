import { TOPICS } from "../../lib/events.ts";
import { connectKafka } from "../../lib/kafka/client.ts";
import { createEventProducer } from "../../lib/kafka/producer.ts";
import { BACKLOG_GAUGES, readBacklog } from "../../lib/outbox/backlog.ts";
import { runRelay } from "../../lib/outbox/relay.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { addReadGauges } from "../../lib/telemetry/metrics.ts";
import { config as schema } from "./config.ts";

/** Milliseconds. A send ends, acknowledged or failed, before its transaction does. */
const SEND_TIMEOUT_MS = 2_500;
const SEND_RETRIES = 1;
/** Milliseconds; a relay that froze, or whose machine vanished, holds the lock no longer than this. */
const SILENCE_MAX_MS = 3_500;

await runProcess("outbox-relay", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    connectionsMax: 2,
    onCircuitChange,
    clientSilenceMaxMs: SILENCE_MAX_MS,
  });
  onStop("database", database.close);
  const producer = createEventProducer(connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log, SEND_TIMEOUT_MS), {
    topics: Object.values(TOPICS),
    retries: SEND_RETRIES,
    timeoutMs: SEND_TIMEOUT_MS,
  });
  onStop("producer", producer.close);
  health.addCheck("postgres", database.check);
  addReadGauges(metrics, BACKLOG_GAUGES, () => readBacklog(database.db));

  const relay = runRelay(database, producer, log, (count) => metrics.outboxPublishedTotal.inc(count));
  onStop("relay", relay.stop);
  health.addLoop("relay", relay.checkLoop);
});
