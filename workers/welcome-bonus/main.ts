import { recordPlayerEvents } from "../../domain/promotions/record-player-events.ts";
import { playerEvent } from "../../lib/events.ts";
import { connectKafka } from "../../lib/kafka/client.ts";
import { runConsumer } from "../../lib/kafka/consumer.ts";
import { CONSUMER_GROUPS } from "../../lib/kafka/groups.ts";
import { connectDatabase, isPostgresUnavailable } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { config as schema } from "./config.ts";

await runProcess("welcome-bonus", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    onCircuitChange,
    connectionsMax: 4,
  });
  onStop("database", database.close);
  health.addCheck("postgres", database.check);

  const consumer = runConsumer({
    kafka: connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log),
    ...CONSUMER_GROUPS.welcomeBonus,
    schema: playerEvent,
    handle: async (events) => {
      await recordPlayerEvents(database, events);
    },
    isUnavailable: isPostgresUnavailable,
    log,
    metrics,
  });
  onStop("consumer", consumer.stop);
  health.addCheck("kafka", consumer.check);
});
