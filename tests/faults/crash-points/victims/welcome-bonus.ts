import { connectKafka } from "../../../../lib/kafka/client.ts";
import type { ConsumerGroup } from "../../../../lib/kafka/groups.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { createMetrics } from "../../../../lib/telemetry/metrics.ts";
import { runWelcomeBonus } from "../../../../workers/welcome-bonus/welcome-bonus.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";
import { watchKafka } from "./watch-kafka.ts";

export interface Input {
  databaseUrl: string;
  kafkaBrokers: string[];
  group: ConsumerGroup;
}

const { input, reach } = beginVictim<Input>();
const database = connectDatabase({ url: input.databaseUrl, name: VICTIM, connectionsMax: 2 });
runWelcomeBonus({
  database: { db: watchDatabase(database.db, reach) },
  kafka: watchKafka(connectKafka(input.kafkaBrokers, VICTIM, log), reach),
  group: input.group,
  log,
  metrics: createMetrics(),
});
