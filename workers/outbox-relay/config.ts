import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

/** One relay works for one database: of Users or of Promotions. */
export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl.meta({ description: "the database whose outbox it empties: Users' or Promotions'" }),
  KAFKA_BROKERS: field.kafkaBrokers,
});
