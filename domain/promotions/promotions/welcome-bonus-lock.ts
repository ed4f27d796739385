import { sql } from "drizzle-orm";
import type { Queryable } from "../../../lib/postgres.ts";

/** Advisory lock; any constant of our own. */
const WELCOME_BONUS_LOCK = 7_013_002;

/**
 * Orders changes of welcome bonuses and registrations: whoever asks which bonus was active at some time sees every change
 * of before. Without it a change that has its time but is not committed yet would be missed, and the history would later
 * say that the player should have had that bonus. The change takes its time after the lock, from `clock_timestamp()`.
 * Take it before any other lock.
 *
 * @param tx the transaction that holds it until it ends
 * @param mode "change" waits for all others, "read" only for changes
 */
export async function lockWelcomeBonuses(tx: Queryable, mode: "change" | "read"): Promise<void> {
  await tx.execute(
    mode === "change"
      ? sql`select pg_advisory_xact_lock(${WELCOME_BONUS_LOCK})`
      : sql`select pg_advisory_xact_lock_shared(${WELCOME_BONUS_LOCK})`,
  );
}
