import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  /** of Promotions */
  DATABASE_URL: field.postgresUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
});
