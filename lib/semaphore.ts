/**
 * Bounds how many run at once, and how many wait for their turn, or for how long.
 *
 * @param limits.runningMax how many run at the same time
 * @param limits.waitingMax how many may wait; the next one is refused
 * @param limits.waitMsMax how long one may wait, in milliseconds; then it is refused. For ever by default
 * @param onFull makes the error for one that is refused
 * @returns a function that runs `work` when it is its turn, in the order of the calls
 */
export function createSemaphore(
  limits: { runningMax: number; waitingMax: number; waitMsMax?: number },
  onFull: () => Error,
): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting = new Set<() => void>();
  let running = 0;

  const takePlace = () =>
    new Promise<void>((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        waiting.delete(go);
        resolve();
      };
      const giveUp = () => {
        waiting.delete(go);
        reject(onFull());
      };
      const timer = limits.waitMsMax === undefined ? undefined : setTimeout(giveUp, limits.waitMsMax);
      waiting.add(go);
    });

  return async (work) => {
    if (running < limits.runningMax) running += 1;
    else if (waiting.size >= limits.waitingMax) throw onFull();
    else await takePlace();
    try {
      return await work();
    } finally {
      // The place goes straight to the next one, so that no newcomer slips in between.
      const [next] = waiting;
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
