import type { ClaimContext } from "../context.ts";
import { isRefusal } from "./balance.ts";

export interface ReconcileOutcome {
  /** what there was in this batch; the sum of the others */
  taken: number;
  finished: number;
  /** Users refused for good: a claim is `assigned` again, a withdrawal `claimed` */
  refused: number;
  /** to be tried again when the lease is over */
  failed: number;
}

/**
 * Finishes a batch of claims or withdrawals side by side, so that it takes no longer than one of them, which is less than the
 * lease; and says in the log what became of each.
 *
 * @param what the name that the log has for one
 * @param finish throws if it can't be finished now, or is refused
 */
export async function finishAll<Taken extends { assignmentId: string; playerId: string }>(
  { log }: Pick<ClaimContext, "log">,
  what: "claim" | "withdrawal",
  taken: readonly Taken[],
  finish: (one: Taken) => Promise<unknown>,
): Promise<ReconcileOutcome> {
  const outcome: ReconcileOutcome = { taken: taken.length, finished: 0, refused: 0, failed: 0 };
  await Promise.all(
    taken.map(async (one) => {
      const { assignmentId, playerId } = one;
      try {
        await finish(one);
        log.info({ assignmentId, playerId }, `${what} finished`);
        outcome.finished += 1;
      } catch (err) {
        const refused = isRefusal(err);
        log.warn({ assignmentId, playerId, err }, `${what} ${refused ? "refused" : "not finished yet"}`);
        outcome[refused ? "refused" : "failed"] += 1;
      }
    }),
  );
  return outcome;
}
