/** How many of a partition's messages may die before somebody has to look. */
export interface LimitBounds {
  /** In a row. */
  runMax: number;
  /** Of the last `windowMessages`. */
  deadMax: number;
  windowMessages: number;
}

/** One message in ten, or twenty in a row, is no accident any more: it is a defect in the handler, or in who sends. */
export const DEAD_LETTER_LIMIT: LimitBounds = { runMax: 20, deadMax: 100, windowMessages: 1_000 };

/**
 * Bounds the dead letters of one partition by a run and by a share (after Arroyo's `DlqLimit`,
 * getsentry.github.io/arroyo/dlqs.html).
 */
export class DeadLetterLimit {
  readonly #bounds: LimitBounds;
  /** Of each of the last messages, whether it died; the oldest is overwritten. */
  #outcomes: boolean[] = [];
  #next = 0;
  #dead = 0;
  #run = 0;

  constructor(bounds: LimitBounds = DEAD_LETTER_LIMIT) {
    this.#bounds = bounds;
  }

  /** @returns whether one more may die */
  allows(): boolean {
    return this.#run < this.#bounds.runMax && this.#dead < this.#bounds.deadMax;
  }

  /** A message is done. */
  count(isDead: boolean): void {
    this.#run = isDead ? this.#run + 1 : 0;
    if (this.#outcomes[this.#next] === true) this.#dead -= 1;
    this.#outcomes[this.#next] = isDead;
    if (isDead) this.#dead += 1;
    this.#next = (this.#next + 1) % this.#bounds.windowMessages;
  }

  /** What failed has been mended: what died before says nothing any more. */
  reset(): void {
    this.#outcomes = [];
    this.#next = 0;
    this.#dead = 0;
    this.#run = 0;
  }
}
