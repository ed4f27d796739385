/**
 * Bounds how many run at once, and how many wait for their turn.
 *
 * @param limits.runningMax how many run at the same time
 * @param limits.waitingMax how many may wait; the next one is refused
 * @param onFull makes the error for one that is refused
 * @returns a function that runs `work` when it is its turn, in the order of the calls
 */
export function createSemaphore(
  limits: { runningMax: number; waitingMax: number },
  onFull: () => Error,
): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < limits.runningMax) running += 1;
    else if (waiting.length >= limits.waitingMax) throw onFull();
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes straight to the next one, so that no newcomer slips in between.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
