/** Longest step of the clock: longer gaps between two looks at it are a process that was frozen, or a machine asleep. */
const STEP_MAX_MS = 10_000;
let awakeForMs = 0;
let lookedAt = performance.now();

/**
 * Milliseconds for which this process has run: the time for which it was frozen does not count against its loops. Exact
 * as long as somebody looks every few seconds, as `watchLoops` does.
 */
function awakeMs(): number {
  const now = performance.now();
  awakeForMs += Math.min(now - lookedAt, STEP_MAX_MS);
  lookedAt = now;
  return awakeForMs;
}

/** When a loop turned last; one that does several things at once has a strand for each. */
export class Pulse {
  readonly #turnedAt = new Map<string, number>();
  readonly #silenceMaxMs: number;
  readonly #now: () => number;

  /**
   * @param options.silenceMaxMs how long a strand may take for one turn; longer than all its deadlines together
   * @param options.now a clock in milliseconds
   */
  constructor({ silenceMaxMs, now = awakeMs }: { silenceMaxMs: number; now?: (() => number) | undefined }) {
    this.#silenceMaxMs = silenceMaxMs;
    this.#now = now;
  }

  /** A strand turned, or begins. */
  turn(strand = "loop"): void {
    this.#turnedAt.set(strand, this.#now());
  }

  /** A strand is over: nothing is expected of it any more. */
  end(strand = "loop"): void {
    this.#turnedAt.delete(strand);
  }

  /** @returns the strands that have not turned for longer than they may take */
  silent(): string[] {
    return this.#silent().map(({ strand }) => strand);
  }

  /** @throws Error naming what has not turned for longer than it may take */
  check(): void {
    const silent = this.#silent();
    if (silent.length === 0) return;
    const words = silent.map(({ strand, silentMs }) => `${strand} has not turned for ${Math.round(silentMs / 1000)} s`);
    throw new Error(words.join(", "));
  }

  #silent(): { strand: string; silentMs: number }[] {
    const now = this.#now();
    return [...this.#turnedAt]
      .map(([strand, at]) => ({ strand, silentMs: now - at }))
      .filter(({ silentMs }) => silentMs > this.#silenceMaxMs);
  }
}
