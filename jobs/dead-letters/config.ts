import { z } from "zod";
import { field } from "../../lib/config.ts";

export const config = z.object({ KAFKA_BROKERS: field.kafkaBrokers });
