import { z } from "zod";
import { field } from "../../lib/config.ts";

const seconds = field.wholeNumber(0, 86_400);

export const config = z.object({
  USERS_DATABASE_URL: field.postgresUrl,
  PROMOTIONS_DATABASE_URL: field.postgresUrl,
  MONGODB_URL: field.mongodbUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
  LAG_BOUND_SECONDS: seconds.default(60),
  /** The reconciler takes a claim over after 15 s, and again every 15 s; an attempt takes seconds. */
  CLAIMING_BOUND_SECONDS: seconds.default(60),
});
