import type { PromotionsContext } from "../../domain/promotions/context.ts";
import { foldChanges } from "../../domain/promotions/statistics/fold-changes.ts";
import { pause } from "../../lib/backoff.ts";

/** A statement of some 50 ms. */
const CHANGES_MAX = 10_000;

/**
 * Keeps the figures of promotions short to read, for ever: each replica looks, and whichever comes first does it. While nobody
 * does, the figures stay exact, and slowly take longer to read.
 *
 * @returns stops it
 */
export function runStatisticsFolder(
  ctx: PromotionsContext,
  { intervalMs }: { intervalMs: number },
): () => Promise<void> {
  const stopping = new AbortController();
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const folded = await foldChanges(ctx, { changesMax: CHANGES_MAX });
        if (folded === CHANGES_MAX) continue; // there may be more
      } catch (error) {
        ctx.log.warn({ err: error }, "folding statistics failed; trying again");
      }
      await pause(intervalMs, stopping.signal);
    }
  })();
  return async () => {
    stopping.abort();
    await finished;
  };
}
