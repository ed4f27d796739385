/** How much time may go into what fails, so that the rest is not held up: spent by failures, refilled as time passes. */
export interface Patience {
  /** Takes off time that is gone already; there is never less than nothing. */
  spend(ms: number): void;
  /** @returns whether there were `ms` left, which are then taken off */
  trySpend(ms: number): boolean;
}

/**
 * A token bucket that is full at first.
 *
 * @param options.maxMs the most that can be spent at once, in milliseconds
 * @param options.refillRatio the part of the passing time that can be spent in the long run: 0.1 is six seconds a minute
 * @param options.now a monotonic clock in milliseconds
 */
export function createPatience({
  maxMs,
  refillRatio,
  now = () => performance.now(),
}: {
  maxMs: number;
  refillRatio: number;
  now?: () => number;
}): Patience {
  let leftMs = maxMs;
  let countedAt = now();
  const refill = () => {
    const at = now();
    leftMs = Math.min(maxMs, leftMs + (at - countedAt) * refillRatio);
    countedAt = at;
  };
  return {
    spend(ms) {
      refill();
      leftMs = Math.max(0, leftMs - ms);
    },
    trySpend(ms) {
      refill();
      if (leftMs < ms) return false;
      leftMs -= ms;
      return true;
    },
  };
}
