import { createHash } from "node:crypto";

/** Numbers that depend on nothing but the seed and the labels, so that concurrent parts of a run can't disturb each other. */
export interface Random {
  /** @returns a number from 0 up to, but without, 1 */
  next(): number;
  /** @returns a whole number from `min` to `max`, both included */
  integer(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** @returns the items in another order (Fisher–Yates) */
  shuffle<T>(items: readonly T[]): T[];
}

/**
 * A stream of SHA-256 over seed, labels and a counter: the same on every machine and in every version of Node.js.
 *
 * @param labels what the numbers are for; another list gives another stream
 */
export function createRandom(seed: number, ...labels: (string | number)[]): Random {
  let counter = 0;
  const next = () => {
    const digest = createHash("sha256")
      .update(JSON.stringify([seed, labels, counter++]))
      .digest();
    return digest.readUInt32BE(0) / 2 ** 32;
  };
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[number],
    shuffle(items) {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = integer(0, last);
        [shuffled[last], shuffled[other]] = [shuffled[other] as never, shuffled[last] as never];
      }
      return shuffled;
    },
  };
}
