import { z } from "zod";
import { field } from "../../lib/config.ts";

const seconds = field.wholeNumber(0, 86_400);

export const config = z.object({
  USERS_DATABASE_URL: field.postgresUrl.meta({ description: "Users' database" }),
  PROMOTIONS_DATABASE_URL: field.postgresUrl.meta({ description: "Promotions' database" }),
  MONGODB_URL: field.mongodbUrl.meta({ description: "the document database: notifications" }),
  KAFKA_BROKERS: field.kafkaBrokers,
  LAG_BOUND_SECONDS: seconds.default(60).meta({
    description:
      "what is younger is under way: from an event's commit to its last effect, differences of clocks included",
  }),
  // The reconciler takes a claim over after 15 s, and again every 15 s; an attempt takes seconds.
  CLAIMING_BOUND_SECONDS: seconds.default(60).meta({ description: "from a claim's begin to its end" }),
});
