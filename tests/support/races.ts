import { setTimeout as delay } from "node:timers/promises";

/** Rounds of one pair that run side by side, each on a player of its own. */
export const LANES = 5;

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32, Tommy Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Contest<A, B> {
  first: () => Promise<A>;
  second: () => Promise<B>;
}

/**
 * Lets two things happen against each other, many times. The first of two rounds lets `first` finish before `second`
 * begins, the next one the other way round, so that both orders occur for certain; all others start both at once, one
 * of them up to `offsetMsMax` later.
 *
 * @param round prepares one and plays it by calling `play`
 */
export async function playRounds<T>(
  options: { rounds: number; seed: number; offsetMsMax: number },
  round: (lane: number, play: <A, B>(contest: Contest<A, B>) => Promise<[A, B]>) => Promise<T>,
): Promise<T[]> {
  const random = seeded(options.seed);
  const offsetsMs = Array.from({ length: options.rounds }, () => (2 * random() - 1) * options.offsetMsMax);
  const outcomes: T[] = [];
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let index = lane; index < options.rounds; index += LANES) {
      outcomes.push(
        await round(lane, async ({ first, second }) => {
          if (index === 0) return [await first(), await second()];
          if (index === 1) {
            const outcomeOfSecond = await second();
            return [await first(), outcomeOfSecond];
          }
          const offsetMs = offsetsMs[index] as number;
          return Promise.all([delay(Math.max(offsetMs, 0)).then(first), delay(Math.max(-offsetMs, 0)).then(second)]);
        }),
      );
    }
  });
  await Promise.all(lanes);
  return outcomes;
}

/** @returns how often each outcome occurred */
export function tally(outcomes: string[]): Record<string, number> {
  const groups = Map.groupBy(outcomes, (outcome) => outcome);
  return Object.fromEntries([...groups].map(([outcome, all]) => [outcome, all.length] as const).sort());
}
