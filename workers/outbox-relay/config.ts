import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

/** One relay works for one database: of Users or of Promotions. */
export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
});
