import { retry } from "../../lib/backoff.ts";
import { connectKafka, isKafkaError } from "../../lib/kafka/client.ts";
import { ensureTopics } from "../../lib/kafka/topics.ts";
import { runJob } from "../../lib/process.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { config } from "./config.ts";

/** A fresh cluster elects its controller and leaders in some seconds. */
const ATTEMPTS_MAX = 30;

await runJob(config, async ({ KAFKA_BROKERS, KAFKA_REPLICATION_FACTOR, KAFKA_MIN_INSYNC_REPLICAS }) => {
  const log = createLogger({ name: "create-topics", instance: "job", level: "error" });
  const admin = connectKafka(KAFKA_BROKERS, "create-topics", log).admin();
  const topics = await retry(
    async () => {
      await admin.connect();
      return ensureTopics(admin, {
        replicationFactor: KAFKA_REPLICATION_FACTOR,
        minInsyncReplicas: KAFKA_MIN_INSYNC_REPLICAS,
      });
    },
    { baseMs: 200, maxMs: 1_000, attemptsMax: ATTEMPTS_MAX, isRetryable: isKafkaError },
  );
  await admin.disconnect();
  return `topics are as they should be: ${topics.join(", ")}`;
});
