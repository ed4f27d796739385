import { reconcileRevocations } from "../../domain/promotions/assignments/reconcile-revocations.ts";
import { reconcileClaims } from "../../domain/promotions/claims/reconcile-claims.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import { pause } from "../../lib/backoff.ts";
import { Pulse } from "../../lib/pulse.ts";

/** Claims, or withdrawals, finished side by side; each takes one call to Users. */
const BATCH_MAX = 20;
/** Longer than all deadlines of a look together. */
const LOOK_MS_MAX = 120_000;
const OUTCOMES = ["finished", "refused", "failed"] as const;

/**
 * Finishes claims and withdrawals that were left halfway, for ever.
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
): {
  /** @throws Error when it stands still */
  checkLoop: () => void;
  stop: () => Promise<void>;
} {
  const { log } = ctx;
  const stopping = new AbortController();
  const pulse = new Pulse({ silenceMaxMs: options.intervalMs + LOOK_MS_MAX });
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      pulse.turn();
      try {
        const batch = { staleAfterMs: options.staleAfterMs, batchMax: BATCH_MAX };
        const outcomes = [await reconcileClaims(ctx, batch), await reconcileRevocations(ctx, batch)];
        for (const outcome of outcomes) {
          for (const name of OUTCOMES) options.onOutcome?.(name, outcome[name]);
          if (outcome.taken > 0) log.info(outcome, "reconciled");
        }
        // There may be more, and Users answers.
        if (outcomes.some(({ finished }) => finished === BATCH_MAX)) continue;
      } catch (error) {
        log.warn({ err: error }, "reconcile failed; trying again");
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
