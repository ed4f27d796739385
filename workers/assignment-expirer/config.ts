import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl.meta({ description: "Promotions' database" }),
  KAFKA_BROKERS: field.kafkaBrokers,
  EXPIRY_NOTICE_HOURS: field.wholeNumber(1, 720).default(24).meta({
    description:
      "how long before the end of their time a player is told; not of what has less than twice that to live. The same in all replicas",
  }),
  INTERVAL_MS: field
    .wholeNumber(100, 60_000)
    .default(2_000)
    .meta({ description: "how often it looks for what has run out" }),
});
