import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  MONGODB_URL: field.mongodbUrl.meta({ description: "the document database: notifications" }),
  REDIS_URL: field.redisUrl.meta({ description: "tells of new notifications" }),
  KAFKA_BROKERS: field.kafkaBrokers,
});
