/**
 * A process that consumes numbered messages of a test and records them in PostgreSQL: every delivery in `deliveries`, and
 * its effect once in `effects`. Started and ended by lib/kafka/consumer/rebalance.test.ts.
 */
import { z } from "zod";
import { connectKafka } from "../../lib/kafka/client.ts";
import { runConsumer } from "../../lib/kafka/consumer/run-consumer.ts";
import { connectDatabase, isPostgresUnavailable } from "../../lib/postgres.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";

const [name = "", topic = "", databaseUrl = "", brokers = ""] = process.argv.slice(2);
const log = createLogger({ name: "recording-consumer", instance: name, level: "silent" });
const database = connectDatabase({ url: databaseUrl, name });
const consumer = runConsumer({
  kafka: connectKafka(brokers.split(","), name, log),
  groupId: `group-of-${topic}`,
  topic,
  schema: z.object({ player: z.string(), n: z.int() }),
  handle: async (events) => {
    const deliveries = events.map(({ partition, offset }) => ({ consumer: name, topic, partition, offset }));
    const effects = events.map(({ event: { player, n } }) => ({ topic, player, n }));
    await database.client.begin(async (sql) => {
      await sql`insert into deliveries ${sql(deliveries)}`;
      await sql`insert into effects ${sql(effects)} on conflict (topic, player, n) do nothing`;
    });
  },
  isUnavailable: isPostgresUnavailable,
  log,
  metrics: createMetrics(),
});
process.on("SIGTERM", async () => {
  await consumer.stop();
  await database.close();
  process.exit(0);
});
