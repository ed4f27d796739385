import { setTimeout as delay } from "node:timers/promises";
import { asc, sql } from "drizzle-orm";
import { backoffMs, pause } from "../backoff.ts";
import type { EventProducer } from "../kafka/producer.ts";
import type { Database, DatabaseHandle } from "../postgres.ts";
import { Pulse } from "../pulse.ts";
import type { Logger } from "../telemetry/log.ts";
import { outbox } from "./schema.ts";

/** Rows per transaction and send. */
const BATCH_ROWS_MAX = 500;
/** The safety net below LISTEN/NOTIFY. */
const POLL_INTERVAL_MS = 1_000;
/** How soon a relay looks again after it has met another one at work, which may have died of it. */
const STANDBY_INTERVAL_MS = 250;
/**
 * After a small batch a relay rests for so many times as long as the batch took, so that under load it moves several rows at the
 * cost of one: a batch costs a transaction here, a request to Kafka, and as much again in its consumers. What comes after a
 * rest is published at once.
 */
const REST_FACTOR = 3;
const REST_MAX_MS = 50;
/** Rows of a batch from which on its cost is well spread. */
const LARGE_BATCH_ROWS = 50;
const FAILURE_BACKOFF = { baseMs: 200, maxMs: 2_000 };
/** Longer than all deadlines of a look and a batch together; one that can't reach Kafka or PostgreSQL turns at each try. */
const TURN_MS_MAX = 60_000;
/** Advisory lock that makes one relay at a time the active one; any constant of our own. */
export const RELAY_LOCK = 7_013_001;

export interface Relay {
  /** @throws Error when it stands still */
  checkLoop(): void;
  stop(): Promise<void>;
}

/**
 * Moves one batch from the outbox to Kafka, in the order of ids. The lock lasts as long as the transaction, so two
 * relays never read and delete at the same time, and one whose connection dies has lost it.
 *
 * A send may outlive its lock: of a relay that the server took for dead, or that was frozen and thaws. It can't mix up a
 * key's events. Its batch was not deleted, so whoever took over has published, or will publish, the same rows from the
 * oldest on; and no relay sends a row before all older ones of its key are acknowledged, or before it in the same
 * request. So whatever lands late is a copy, and first copies are in order: consumers drop what they have seen.
 *
 * @returns the number of events published, or "standby" if another relay is at it
 */
export async function relayBatch(db: Database, producer: EventProducer): Promise<number | "standby"> {
  return db.transaction(async (tx) => {
    const [lock] = await tx.execute<{ held: boolean; readOnly: string }>(
      sql`select pg_try_advisory_xact_lock(${RELAY_LOCK}) as held, current_setting('transaction_read_only') as "readOnly"`,
    );
    if (!lock?.held) return "standby";
    // What can't be deleted would be published again and again.
    if (lock.readOnly === "on") throw new Error("the database is read-only");
    const rows = await tx.select().from(outbox).orderBy(asc(outbox.id)).limit(BATCH_ROWS_MAX);
    if (rows.length === 0) return 0;
    await producer.send(
      rows.map(({ topic, key, event, headers }) => ({ topic, key, value: JSON.stringify(event), headers })),
    );
    // These and no others: a row with a lower id may have been committed since they were read.
    const ids = `{${rows.map(({ id }) => id).join(",")}}`;
    await tx.delete(outbox).where(sql`${outbox.id} = any(${ids}::bigint[])`);
    return rows.length;
  });
}

/**
 * Relays for ever: at once when the database notifies, and every POLL_INTERVAL_MS in any case.
 *
 * @param handle a pool of this relay's own: its transaction stays open while Kafka answers
 * @param onPublished called with the number of events of each batch
 */
export function runRelay(
  handle: DatabaseHandle,
  producer: EventProducer,
  log: Logger,
  onPublished: (count: number) => void,
): Relay {
  const stopping = new AbortController();
  let wake: () => void = () => {};
  let isAwake = true;
  const notify = () => {
    isAwake = true;
    wake();
  };
  const sleep = async () => {
    if (!isAwake && !stopping.signal.aborted) {
      await Promise.race([
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
        delay(POLL_INTERVAL_MS, undefined, { ref: false }),
      ]);
    }
    isAwake = false;
  };
  const listening = handle.client.listen("outbox", notify, notify);
  listening.catch((error: unknown) => log.warn({ err: error }, "listen failed; polling"));

  // Most looks find nothing, and this one needs no transaction. By the index, which knows which rows are dead.
  const isEmpty = async () => {
    const rows = await handle.db.select({ id: outbox.id }).from(outbox).orderBy(asc(outbox.id)).limit(1);
    return rows.length === 0;
  };

  const pulse = new Pulse({ silenceMaxMs: TURN_MS_MAX });
  const finished = (async () => {
    let failures = 0;
    let isBusy = false;
    while (!stopping.signal.aborted) {
      pulse.turn();
      try {
        const startedAt = performance.now();
        // Outside of the lock: a relay that can't reach Kafka leaves it to those that can.
        await producer.connect();
        const published: number | "standby" = isBusy || !(await isEmpty()) ? await relayBatch(handle.db, producer) : 0;
        failures = 0;
        isBusy = published !== "standby" && published > 0;
        if (published === "standby") await pause(STANDBY_INTERVAL_MS, stopping.signal);
        else if (published === 0) await sleep();
        else {
          onPublished(published);
          log.info({ count: published }, "published");
          const restMs = Math.min(REST_FACTOR * (performance.now() - startedAt), REST_MAX_MS);
          if (published < LARGE_BATCH_ROWS) await pause(restMs, stopping.signal);
        }
      } catch (error) {
        log.warn({ err: error, failures }, "relay failed; the events stay in the outbox");
        await pause(backoffMs(failures++, FAILURE_BACKOFF), stopping.signal);
      }
    }
  })();

  return {
    checkLoop: () => pulse.check(),
    async stop() {
      stopping.abort();
      notify();
      await finished; // what listens ends with the pool: a statement that ends it sooner might hang
    },
  };
}
