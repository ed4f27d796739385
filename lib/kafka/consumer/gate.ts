import type { Passage } from "../let-pass.ts";
import type { DeadLetterLimit } from "./limit.ts";

/** Where a partition's messages pass on their way to the dead letters. */
export interface Gate {
  /** How often the message was refused that is tried now. */
  readonly refusals: number;
  /** Passes if there were few enough, or if somebody said so. @throws Refused */
  pass(offset: string, reason: string): Promise<void>;
  /** A message is done: handled, or dead. */
  count(isDead: boolean): void;
}

/** Too many have died: this one has to stay where it is. */
export class Refused extends Error {
  override name = "Refused";
  readonly offset: string;
  /** Why it would be dead. */
  readonly reason: string;
  constructor(offset: string, reason: string) {
    super("too many dead letters");
    this.offset = offset;
    this.reason = reason;
  }
}

/**
 * @param partition its number
 * @param passage what operators let pass, asked only beyond the limit
 */
export function createGate(partition: number, limit: DeadLetterLimit, passage: Pick<Passage, "isOpen">): Gate {
  let refusals = 0;
  return {
    get refusals() {
      return refusals;
    },
    async pass(offset, reason) {
      if (limit.allows() || (await passage.isOpen(partition, offset))) return;
      refusals += 1;
      throw new Refused(offset, reason);
    },
    count(isDead) {
      // What was refused could be handled after all: it has been mended, and what died before says nothing any more.
      if (refusals > 0 && !isDead) limit.reset();
      refusals = 0;
      limit.count(isDead);
    },
  };
}
