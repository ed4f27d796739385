import { connectKafka } from "../../../../lib/kafka/client.ts";
import { CONSUMER_GROUPS } from "../../../../lib/kafka/groups.ts";
import { createLagReader } from "../../../../lib/kafka/lag.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { runAssignmentExpirer } from "../../../../workers/assignment-expirer/assignment-expirer.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";

export interface Input {
  databaseUrl: string;
  kafkaBrokers: string[];
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: VICTIM, connectionsMax: 2 });
const lag = createLagReader(connectKafka(input.kafkaBrokers, VICTIM, log), CONSUMER_GROUPS.notifier);
runAssignmentExpirer({ db: watchDatabase(db, reach), log }, lag.read, { noticeHours: 24, intervalMs: 50 });
