import { Pulse } from "../../pulse.ts";

/** What happens to a consumer in its group. */
export type GroupEvent =
  | { kind: "joined"; partitions: number[] }
  | { kind: "rebalancing" }
  /** kafkajs gave up; it tries again by itself unless there is an error. */
  | { kind: "crashed"; error: Error | undefined }
  | { kind: "stopping" };

/**
 * Longest silence of a consumer: no request to a broker, and no step in a batch. Longer than the time that a handler may
 * take (`WORK_MS_MAX` of place.ts), and than all deadlines of a request.
 */
const SILENCE_MAX_MS = 90_000;
const GROUP = "the life in the group";
const strandOf = (partition: number) => `partition ${partition}`;

/** A batch that is handled. */
export interface BatchHealth {
  /** It went a step on. */
  turn(): void;
  /** It waits on purpose, until `goOn` or `end`. */
  waitFor(reason: string): void;
  goOn(): void;
  end(): void;
}

/** What a consumer says of itself. Membership is changed by the loop of its life, and by nothing else. */
export class ConsumerHealth {
  #isMember = false;
  readonly #waits = new Map<number, string>();
  readonly #pulse: Pulse;

  constructor({ silenceMaxMs = SILENCE_MAX_MS, now }: { silenceMaxMs?: number; now?: () => number } = {}) {
    this.#pulse = new Pulse(now === undefined ? { silenceMaxMs } : { silenceMaxMs, now });
  }

  apply(event: Exclude<GroupEvent, { kind: "stopping" }> | { kind: "left" }): void {
    this.#isMember = event.kind === "joined";
    this.turn();
  }

  /** Something went on: kafkajs asked a broker, or another life begins. */
  turn(): void {
    this.#pulse.turn(GROUP);
  }

  /** A batch of a partition begins. */
  beginBatch(partition: number): BatchHealth {
    const turn = () => {
      this.#pulse.turn(strandOf(partition));
      this.turn();
    };
    turn();
    return {
      turn,
      waitFor: (reason) => this.#waits.set(partition, reason),
      goOn: () => this.#waits.delete(partition),
      end: () => {
        this.#waits.delete(partition);
        this.#pulse.end(strandOf(partition));
      },
    };
  }

  /** @throws Error while it is not a member of its group, or a partition waits */
  check(): void {
    if (!this.#isMember) throw new Error("not a member of the consumer group");
    if (this.#waits.size === 0) return;
    throw new Error(
      [...this.#waits].map(([partition, reason]) => `${strandOf(partition)} waits: ${reason}`).join("; "),
    );
  }

  /** @throws Error when nothing goes on any more; one that waits on purpose goes on */
  checkLoop(): void {
    this.#pulse.check();
  }
}
