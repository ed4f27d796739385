import { connectKafka } from "../../lib/kafka/client.ts";
import { CONSUMER_GROUPS } from "../../lib/kafka/groups.ts";
import { createLagReader } from "../../lib/kafka/lag.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { runAssignmentExpirer } from "./assignment-expirer.ts";
import { config as schema } from "./config.ts";

await runProcess("assignment-expirer", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    onCircuitChange,
    connectionsMax: 2,
  });
  onStop("database", database.close);
  const lag = createLagReader(connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log), CONSUMER_GROUPS.notifier);
  onStop("kafka", lag.close);
  health.addCheck("postgres", database.check);

  const expirer = runAssignmentExpirer({ db: database.db, log }, lag.read, {
    noticeHours: config.EXPIRY_NOTICE_HOURS,
    intervalMs: config.INTERVAL_MS,
    onOutcome: (outcome, count) => metrics.assignmentsRunOutTotal.inc({ outcome }, count),
  });
  onStop("expirer", expirer.stop);
  health.addLoop("expirer", expirer.checkLoop);
});
