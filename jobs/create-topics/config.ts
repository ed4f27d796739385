import { z } from "zod";
import { field } from "../../lib/config.ts";

export const config = z.object({
  KAFKA_BROKERS: field.kafkaBrokers,
  KAFKA_REPLICATION_FACTOR: field.wholeNumber(1, 9).meta({ description: "brokers that hold each message" }),
  KAFKA_MIN_INSYNC_REPLICAS: field
    .wholeNumber(1, 9)
    .meta({ description: "how many of them must have it before it is acknowledged" }),
});
