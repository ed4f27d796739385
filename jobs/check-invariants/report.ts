/** What one invariant came to. */
export interface InvariantReport {
  name: string;
  /** rows, messages or partitions that were looked at */
  checked: number;
  violations: number;
  /** the first violations, each a sentence that names ids */
  examples: string[];
  durationMs: number;
  /** a figure worth showing that is no violation */
  note?: string;
}

/** Violations that are named, unless more are asked for; all are counted. */
const EXAMPLES_MAX = 10;

/** What an invariant's check writes into while it reads. */
export class Tally {
  checked = 0;
  violations = 0;
  readonly examples: string[] = [];
  note: string | undefined;
  readonly #examplesMax: number;

  constructor(examplesMax: number) {
    this.#examplesMax = examplesMax;
  }

  /** @param example made only if it is shown */
  add(example: () => string): void {
    this.violations += 1;
    if (this.examples.length < this.#examplesMax) this.examples.push(example());
  }
}

/**
 * Runs one check.
 *
 * @param examplesMax how many violations are named
 * @throws Error that names the invariant, with what went wrong as its cause
 */
export async function report(
  name: string,
  check: (tally: Tally) => Promise<void>,
  examplesMax = EXAMPLES_MAX,
): Promise<InvariantReport> {
  const tally = new Tally(examplesMax);
  const startedAt = performance.now();
  try {
    await check(tally);
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
  const { checked, violations, examples, note } = tally;
  const durationMs = Math.round(performance.now() - startedAt);
  return { name, checked, violations, examples, durationMs, ...(note === undefined ? {} : { note }) };
}
