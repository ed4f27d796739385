import { connectKafka } from "../../../../lib/kafka/client.ts";
import { createEventProducer } from "../../../../lib/kafka/producer.ts";
import { runRelay } from "../../../../lib/outbox/relay.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";
import { watchKafka } from "./watch-kafka.ts";

export interface Input {
  databaseUrl: string;
  kafkaBrokers: string[];
}

const { input, reach } = beginVictim<Input>();
const database = connectDatabase({ url: input.databaseUrl, name: VICTIM, connectionsMax: 2 });
const kafka = watchKafka(connectKafka(input.kafkaBrokers, VICTIM, log), reach);
const relay = { ...database, db: watchDatabase(database.db, reach) };
runRelay(relay, createEventProducer(kafka), log, (count) => reach("published", count));
