import { ensureIndexes } from "../../domain/notifications/ensure-indexes.ts";
import { retry } from "../../lib/backoff.ts";
import { connectKafka } from "../../lib/kafka/client.ts";
import { connectMongo, isMongoUnavailable } from "../../lib/mongo.ts";
import { runProcess } from "../../lib/process.ts";
import { awaitRedis, connectRedis } from "../../lib/redis.ts";
import { config as schema } from "./config.ts";
import { runNotifier } from "./notifier.ts";
import { createWaker } from "./wake-publisher.ts";

/** Without Redis we store all the same. */
const REDIS_WAIT_MS = 500;
const INDEX_BACKOFF = { baseMs: 200, maxMs: 5_000 };

await runProcess("notifier", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const mongo = connectMongo(config.MONGODB_URL, config.INSTANCE, { onCircuitChange });
  onStop("mongodb", mongo.close);
  const redis = connectRedis(config.REDIS_URL, log);
  onStop("redis", () => redis.disconnect());
  const waker = createWaker(redis, log);
  onStop("waker", waker.close);
  health.addCheck("mongodb", mongo.check);

  await awaitRedis(redis, REDIS_WAIT_MS);
  await retry(() => ensureIndexes(mongo, log), {
    ...INDEX_BACKOFF,
    isRetryable: isMongoUnavailable,
    onRetry: (err) => log.warn({ err }, "indexes not ensured yet"),
  });
  const kafka = connectKafka(config.KAFKA_BROKERS, config.INSTANCE, log);
  const consumer = runNotifier({ mongo, waker, kafka, log, metrics });
  onStop("consumer", consumer.stop);
  health.addCheck("kafka", consumer.check);
  health.addLoop("consumer", consumer.checkLoop);
});
