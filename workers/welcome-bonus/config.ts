import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl.meta({ description: "Promotions' database" }),
  KAFKA_BROKERS: field.kafkaBrokers,
});
