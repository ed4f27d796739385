/** What one bench measured, of ours and of what stands beside it, pair by pair. */
export interface Comparison {
  /** What was measured, such as `claims/s`. */
  what: string;
  /** What stands beside it. */
  beside: string;
  ours: number[];
  theirs: number[];
  /** The ratio of ours to theirs that is to be reached: at least for what should be much, at most for what should be little. */
  goal: { atLeast: number } | { atMost: number };
}

/** The middle of the pairs' ratios, and how far they lie apart. */
export interface Ratio {
  median: number;
  min: number;
  max: number;
}

/**
 * Measures two things in turn, A-B-B-A, so that what slowly changes on the machine (heat, caches, other work) falls on both.
 *
 * @returns the results of each, by pair
 */
export async function measurePairs<Ours, Theirs>(
  pairs: number,
  ours: () => Promise<Ours>,
  theirs: () => Promise<Theirs>,
): Promise<{ ours: Ours[]; theirs: Theirs[] }> {
  const results: { ours: Ours[]; theirs: Theirs[] } = { ours: [], theirs: [] };
  for (let pair = 0; pair < pairs; pair++) {
    const steps = [async () => results.ours.push(await ours()), async () => results.theirs.push(await theirs())];
    for (const step of pair % 2 === 0 ? steps : steps.reverse()) await step();
  }
  return results;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  if (high === undefined) return Number.NaN;
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}

/** @returns of the ratios of each pair the middle, the least and the greatest */
export function ratioOf({ ours, theirs }: Pick<Comparison, "ours" | "theirs">): Ratio {
  const ratios = ours.map((value, pair) => value / (theirs[pair] ?? Number.NaN));
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

/** @returns whether the median reaches the goal */
export function isReached({ goal, ...measured }: Comparison): boolean {
  const ratio = ratioOf(measured).median;
  return "atLeast" in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}
