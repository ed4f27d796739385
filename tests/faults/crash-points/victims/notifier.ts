import { connectKafka } from "../../../../lib/kafka/client.ts";
import type { ConsumerGroup } from "../../../../lib/kafka/groups.ts";
import { connectMongo } from "../../../../lib/mongo.ts";
import { awaitRedis, connectRedis } from "../../../../lib/redis.ts";
import { createMetrics } from "../../../../lib/telemetry/metrics.ts";
import { runNotifier } from "../../../../workers/notifier/notifier.ts";
import { createWaker } from "../../../../workers/notifier/wake-publisher.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchKafka } from "./watch-kafka.ts";
import { watchMongo, watchWaker } from "./watch-notifier.ts";

export interface Input {
  mongodbUrl: string;
  redisUrl: string;
  kafkaBrokers: string[];
  group: ConsumerGroup;
}

const { input, reach } = beginVictim<Input>();
const redis = connectRedis(input.redisUrl, log);
await awaitRedis(redis);
runNotifier({
  mongo: watchMongo(connectMongo(input.mongodbUrl, VICTIM), reach),
  waker: watchWaker(createWaker(redis, log), reach),
  kafka: watchKafka(connectKafka(input.kafkaBrokers, VICTIM, log), reach),
  group: input.group,
  log,
  metrics: createMetrics(),
});
