import { connectKafka } from "../../lib/kafka/client.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { config as schema } from "./config.ts";
import { runWelcomeBonus } from "./welcome-bonus.ts";

await runProcess("welcome-bonus", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    onCircuitChange,
    connectionsMax: 4,
  });
  onStop("database", database.close);
  health.addCheck("postgres", database.check);

  const kafka = connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log);
  const consumer = runWelcomeBonus({ database, kafka, log, metrics });
  onStop("consumer", consumer.stop);
  health.addCheck("kafka", consumer.check);
  health.addLoop("consumer", consumer.checkLoop);
});
