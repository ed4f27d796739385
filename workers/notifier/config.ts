import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  MONGODB_URL: field.mongodbUrl,
  REDIS_URL: field.redisUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
});
