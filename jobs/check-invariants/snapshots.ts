import type { TransactionSql } from "postgres";
import { connectDatabase, type DatabaseHandle } from "../../lib/postgres.ts";

/** Milliseconds for one statement, which may read all of a large ledger. */
const STATEMENT_TIMEOUT_MS = 3_600_000;
/** Rows that a cursor fetches at a time. */
export const CURSOR_ROWS = 2_000;

/** One connection's read-only snapshot of a database. One cursor at a time. */
export type Snapshot = TransactionSql;

/** Both databases, each as it was at one moment. */
export interface Snapshots {
  users: Snapshot;
  promotions: Snapshot;
}

export function connectReadOnly(url: string): DatabaseHandle {
  return connectDatabase({
    url,
    name: "check-invariants",
    connectionsMax: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    // One snapshot waits while the other is read.
    clientSilenceMaxMs: 0,
    readOnly: true,
  });
}

/**
 * Takes a snapshot of both databases and keeps them while `work` runs. The two can't be of one moment, so their order is
 * what every check across them relies on:
 *
 * 1. The transaction on Users begins, which fixes its `now()`; its snapshot is not taken yet.
 * 2. The snapshot of Promotions is taken.
 * 3. The snapshot of Users is taken.
 *
 * What Promotions holds and Users held before (the credit of a claimed assignment, the player of an event) is therefore
 * in both. And what was in Users a bound before its `now()` had at least that bound to reach Promotions.
 */
export async function withSnapshots<T>(
  users: DatabaseHandle,
  promotions: DatabaseHandle,
  work: (snapshots: Snapshots) => Promise<T>,
): Promise<T> {
  // Connected first, so that nothing lies between the two snapshots.
  await promotions.check();
  const result = await users.client.begin("isolation level repeatable read read only", (u) =>
    promotions.client.begin("isolation level repeatable read read only", async (p) => {
      await p`select 1`;
      await u`select 1`;
      return work({ users: u, promotions: p });
    }),
  );
  return result as T;
}
