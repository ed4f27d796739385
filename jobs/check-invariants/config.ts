import { z } from "zod";
import { field } from "../../lib/config.ts";

const seconds = field.wholeNumber(0, 86_400);

export const config = z.object({
  USERS_DATABASE_URL: field.postgresUrl,
  PROMOTIONS_DATABASE_URL: field.postgresUrl,
  MONGODB_URL: field.mongodbUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
  LAG_BOUND_SECONDS: seconds.default(60),
  /** The reconciler takes a claim up after 15 s and then every 15 s; an attempt takes up to 9 s. */
  CLAIMING_BOUND_SECONDS: seconds.default(60),
});
