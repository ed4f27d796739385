import { connectKafka } from "../../lib/kafka/client.ts";
import { DEAD_LETTER_TOPICS } from "../../lib/kafka/find-dead-letters.ts";
import { CONSUMER_GROUPS } from "../../lib/kafka/groups.ts";
import { connectMongo } from "../../lib/mongo.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { checkBalances } from "./balances.ts";
import { checkCaps } from "./caps.ts";
import { checkClaims } from "./claims.ts";
import { checkCodes } from "./codes.ts";
import { checkConsumerLag } from "./consumer-lag.ts";
import { checkDeadLetters } from "./dead-letters.ts";
import { checkDeadlines } from "./deadlines.ts";
import { checkNotifications } from "./notifications.ts";
import { checkOutbox } from "./outbox.ts";
import { checkPlayers } from "./players.ts";
import { type InvariantReport, report, type Tally } from "./report.ts";
import { connectReadOnly, withSnapshots } from "./snapshots.ts";
import { checkStatistics } from "./statistics.ts";
import { checkStuckClaims } from "./stuck-claims.ts";
import { checkVoidedKeys } from "./voided-keys.ts";
import { checkWelcomeBonuses } from "./welcome-bonuses.ts";

export type { InvariantReport } from "./report.ts";

/** Milliseconds. A read of a document database that sorts in memory (FerretDB) may take long. */
const MONGO_SOCKET_TIMEOUT_MS = 600_000;

/** The system to check. */
export interface InvariantConnections {
  usersDatabaseUrl: string;
  promotionsDatabaseUrl: string;
  mongodbUrl: string;
  kafkaBrokers: string[];
}

/** How old what is under way may be. Differences between the servers' clocks are part of it. */
export interface InvariantBounds {
  /** milliseconds for an event from its commit to its last effect */
  lagBoundMs: number;
  /** milliseconds for a claim from its begin to its end */
  claimingBoundMs: number;
  /** violations of each invariant that are named */
  examplesMax?: number;
}

/**
 * Proves that money and events are exact, or says where they are not. Only reads: it may be pointed at a system that
 * works, and what is younger than the bounds is no violation.
 *
 * @returns every invariant, whether it holds or not
 * @throws Error naming what could not be reached or read; then nothing is proved
 */
export async function checkInvariants(
  connections: InvariantConnections,
  bounds: InvariantBounds,
): Promise<InvariantReport[]> {
  const usersDatabase = connectReadOnly(connections.usersDatabaseUrl);
  const promotionsDatabase = connectReadOnly(connections.promotionsDatabaseUrl);
  const documents = connectMongo(connections.mongodbUrl, "check-invariants", {
    operationTimeoutMs: MONGO_SOCKET_TIMEOUT_MS,
  });
  const log = createLogger({ name: "check-invariants", instance: "job", level: "silent" });
  const kafka = connectKafka(connections.kafkaBrokers, "check-invariants", log);
  const admin = kafka.admin();
  try {
    await reach("PostgreSQL, database users,", usersDatabase.check);
    await reach("PostgreSQL, database promotions,", promotionsDatabase.check);
    await reach("MongoDB", documents.check);
    await reach("Kafka", () => admin.connect());
    const examine = (name: string, check: (tally: Tally) => Promise<void>) => report(name, check, bounds.examplesMax);
    const stored = await withSnapshots(usersDatabase, promotionsDatabase, async (snapshots) => {
      const { users, promotions } = snapshots;
      return [
        await examine("balances", (tally) => checkBalances(users, tally)),
        await examine("claims and credits", (tally) => checkClaims(snapshots, bounds, tally)),
        await examine("voided keys", (tally) => checkVoidedKeys(users, tally)),
        await examine("caps", (tally) => checkCaps(promotions, tally)),
        await examine("codes", (tally) => checkCodes(promotions, tally)),
        await examine("statistics", (tally) => checkStatistics(snapshots, tally)),
        await examine("stuck claims", (tally) => checkStuckClaims(promotions, bounds, tally)),
        await examine("deadlines", (tally) => checkDeadlines(promotions, bounds, tally)),
        await examine("players", (tally) => checkPlayers(snapshots, bounds, tally)),
        await examine("welcome bonuses", (tally) => checkWelcomeBonuses(promotions, tally)),
        await examine("notifications", (tally) => checkNotifications(promotions, documents, bounds, tally)),
        await examine("outbox of users", (tally) => checkOutbox(users, bounds, tally)),
        await examine("outbox of promotions", (tally) => checkOutbox(promotions, bounds, tally)),
      ];
    });
    return [
      ...stored,
      await examine("dead letters", (tally) => checkDeadLetters(kafka, DEAD_LETTER_TOPICS, tally)),
      await examine("consumer lag", (tally) => checkConsumerLag(admin, Object.values(CONSUMER_GROUPS), bounds, tally)),
    ];
  } finally {
    await Promise.allSettled([
      usersDatabase.close(),
      promotionsDatabase.close(),
      documents.close(),
      admin.disconnect(),
    ]);
  }
}

async function reach(what: string, connect: () => Promise<unknown>): Promise<void> {
  try {
    await connect();
  } catch (cause) {
    throw new Error(`${what} can't be reached: ${(cause as Error).message}`, { cause });
  }
}
