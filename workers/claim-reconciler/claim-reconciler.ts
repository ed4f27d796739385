import { reconcileClaims } from "../../domain/promotions/claims/reconcile-claims.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import { pause } from "../../lib/backoff.ts";

/** Claims finished side by side; each takes one call to Users. */
const BATCH_MAX = 20;
const OUTCOMES = ["finished", "refused", "failed"] as const;

/**
 * Finishes claims that were left halfway, for ever.
 *
 * @param options.staleAfterMs how long ago a claim's last attempt must have begun before it is taken over
 * @param options.intervalMs between two looks
 * @param options.onOutcome told how many claims of a look came to which end
 */
export function runClaimReconciler(
  ctx: ClaimContext,
  options: {
    staleAfterMs: number;
    intervalMs: number;
    onOutcome?: (outcome: (typeof OUTCOMES)[number], count: number) => void;
  },
): { stop: () => Promise<void> } {
  const { log } = ctx;
  const stopping = new AbortController();
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const outcome = await reconcileClaims(ctx, { staleAfterMs: options.staleAfterMs, batchMax: BATCH_MAX });
        for (const name of OUTCOMES) options.onOutcome?.(name, outcome[name]);
        if (outcome.taken > 0) log.info(outcome, "reconciled");
        if (outcome.finished === BATCH_MAX) continue; // there may be more, and Users answers
      } catch (error) {
        log.warn({ err: error }, "reconcile failed; trying again");
      }
      await pause(options.intervalMs, stopping.signal);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
