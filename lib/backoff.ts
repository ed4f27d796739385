import { setTimeout as delay } from "node:timers/promises";

/** Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015). */
export interface Backoff {
  /** milliseconds before the second attempt */
  baseMs: number;
  /** the longest wait in milliseconds */
  maxMs: number;
}

/** @returns how long to wait after failed attempt number `attempt` (from 0), in milliseconds; at least half the ceiling */
export function backoffMs(attempt: number, { baseMs, maxMs }: Backoff): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (Math.random() * ceiling) / 2);
}

/** Waits; ends early and without an error when `signal` aborts. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
  });
}

/**
 * Runs `work` until it succeeds, for as long as its errors are retryable and `signal` is not aborted.
 *
 * @param options.isRetryable which errors are worth another attempt
 * @param options.onRetry called before each wait
 * @param options.attemptsMax gives up after this many attempts; unlimited by default
 * @throws the last error
 */
export async function retry<T>(
  work: () => Promise<T>,
  options: Backoff & {
    isRetryable: (error: unknown) => boolean;
    onRetry?: (error: unknown, attempt: number, waitMs: number) => void;
    attemptsMax?: number;
    signal?: AbortSignal;
  },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isLast = attempt + 1 >= (options.attemptsMax ?? Number.POSITIVE_INFINITY);
      if (isLast || options.signal?.aborted || !options.isRetryable(error)) throw error;
      const waitMs = backoffMs(attempt, options);
      options.onRetry?.(error, attempt, waitMs);
      await pause(waitMs, options.signal);
    }
  }
}
