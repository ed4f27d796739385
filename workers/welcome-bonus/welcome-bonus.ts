import { recordPlayerEvents } from "../../domain/promotions/players/record-player-events.ts";
import { playerEvent } from "../../lib/events.ts";
import type { Kafka } from "../../lib/kafka/client.ts";
import { type RunningConsumer, runConsumer } from "../../lib/kafka/consumer/run-consumer.ts";
import { CONSUMER_GROUPS, type ConsumerGroup } from "../../lib/kafka/groups.ts";
import { type Database, isPostgresUnavailable } from "../../lib/postgres.ts";
import type { Logger } from "../../lib/telemetry/log.ts";
import type { Metrics } from "../../lib/telemetry/metrics.ts";

export interface WelcomeBonusDeps {
  /** of Promotions */
  database: { db: Database };
  kafka: Kafka;
  log: Logger;
  metrics: Metrics;
  /** where to consume; its own by default */
  group?: ConsumerGroup;
}

/** Takes the players' events: keeps our copy of the players, and gives each new one the welcome bonus. */
export function runWelcomeBonus(deps: WelcomeBonusDeps): RunningConsumer {
  const { database, kafka, log, metrics, group = CONSUMER_GROUPS.welcomeBonus } = deps;
  return runConsumer({
    kafka,
    ...group,
    schema: playerEvent,
    handle: async (events) => {
      await recordPlayerEvents(database, events);
    },
    isUnavailable: isPostgresUnavailable,
    log,
    metrics,
  });
}
