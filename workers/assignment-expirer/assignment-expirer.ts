import { expireAssignments, type Position } from "../../domain/promotions/assignments/expire-assignments.ts";
import { findRunOut } from "../../domain/promotions/assignments/find-run-out.ts";
import type { Due } from "../../domain/promotions/assignments/run-out.ts";
import type { PromotionsContext } from "../../domain/promotions/context.ts";
import { pause } from "../../lib/backoff.ts";
import { readOldestAgeMs } from "../../lib/outbox/backlog.ts";
import { Pulse } from "../../lib/pulse.ts";

/** Assignments per transaction: as many as the relay takes at a time. */
const BATCH_MAX = 500;
/**
 * Nothing is added while the outbox has an older event, or the notifier is more messages behind. Whoever gets a promotion meanwhile
 * is told after a batch or two, and not after all that have run out; and if nothing is published or stored at all, nothing piles up.
 */
const OUTBOX_AGE_MAX_MS = 20;
const LAG_MAX = 1_000;
/** How old a look at the notifier's lag may be: it asks the brokers. */
const LAG_AGE_MAX_MS = 100;
/** Until it looks again. */
const THROTTLED_MS = 10;
/** Longer than all deadlines of a look and a batch together. */
const TURN_MS_MAX = 60_000;

type Outcome = "expired" | "expiring";

/**
 * Marks assignments that have run out, and tells their players then and some time before, for ever. Any number may run.
 *
 * @param readLag tells how many messages the notifier is behind
 * @param options.noticeHours how long before the end a player is told
 * @param options.intervalMs between two looks
 * @param options.onOutcome told how many assignments of a batch have run out, or soon will
 */
export function runAssignmentExpirer(
  ctx: Pick<PromotionsContext, "db" | "log">,
  readLag: () => Promise<number>,
  options: { noticeHours: number; intervalMs: number; onOutcome?: (outcome: Outcome, count: number) => void },
): {
  /** @throws Error when it stands still */
  checkLoop: () => void;
  stop: () => Promise<void>;
} {
  const { log } = ctx;
  const stopping = new AbortController();
  const pulse = new Pulse({ silenceMaxMs: options.intervalMs + TURN_MS_MAX });

  let lag = 0;
  let lagReadAt = Number.NEGATIVE_INFINITY;
  const hasRoom = async () => {
    if (performance.now() - lagReadAt > LAG_AGE_MAX_MS || lag > LAG_MAX) {
      lag = await readLag();
      lagReadAt = performance.now();
    }
    return lag <= LAG_MAX && (await readOldestAgeMs(ctx.db)) <= OUTBOX_AGE_MAX_MS;
  };
  const waitForRoom = async () => {
    while (!stopping.signal.aborted && !(await hasRoom())) {
      pulse.turn();
      await pause(THROTTLED_MS, stopping.signal);
    }
  };
  /** One look, and batch by batch what it found, of all promotions in turn. */
  const work = async () => {
    const queue: { promotionId: string; due: Due; after?: Position }[] = await findRunOut(ctx, options);
    const counts = { expired: 0, expiring: 0, told: 0 };
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await waitForRoom();
      if (stopping.signal.aborted) return;
      pulse.turn();
      const { marked, told, next } = await expireAssignments(ctx, { ...item, ...options, batchMax: BATCH_MAX });
      const outcome = item.due === "expiring" ? "expiring" : "expired";
      counts[outcome] += marked;
      counts.told += told;
      options.onOutcome?.(outcome, marked);
      if (next !== undefined) queue.push({ ...item, after: next });
    }
    if (counts.expired + counts.expiring > 0) log.info(counts, "assignments ran out");
  };

  const finished = (async () => {
    while (!stopping.signal.aborted) {
      pulse.turn();
      try {
        await work();
      } catch (error) {
        log.warn({ err: error }, "expiring failed; trying again");
      }
      await pause(options.intervalMs, stopping.signal);
    }
  })();
  return {
    checkLoop: () => pulse.check(),
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
