import { Pulse } from "../../pulse.ts";

/** What happens to a consumer in its group. */
export type GroupEvent =
  | { kind: "joined"; partitions: number[] }
  | { kind: "rebalancing" }
  /** kafkajs gave up; it tries again by itself unless there is an error. */
  | { kind: "crashed"; error: Error | undefined }
  /** It has not been a member for too long. */
  | { kind: "overdue" }
  | { kind: "stopping" };

/**
 * Longest silence of a consumer: no request to a broker, and no step in a batch. Longer than the time that a handler may
 * take (`WORK_MS_MAX` of place.ts), and than all deadlines of a request.
 */
const SILENCE_MAX_MS = 90_000;
const GROUP = "the life in the group";
const strandOf = (partition: number) => `partition ${partition}`;

/** What a partition waits for. */
export type WaitKind = "dependency" | "dead_letters";

/** A batch that is handled. */
export interface BatchHealth {
  /** It went a step on. */
  turn(): void;
  /** It waits on purpose: for a dependency until it goes on or ends, for somebody until it goes on, in a later batch. */
  waitFor(kind: WaitKind, reason: string): void;
  goOn(): void;
  end(): void;
}

/** What a consumer says of itself. Membership is changed by the loop of its life, and by nothing else. */
export class ConsumerHealth {
  #isMember = false;
  readonly #waits = new Map<number, { kind: WaitKind; reason: string }>();
  readonly #pulse: Pulse;
  readonly #onWait: (partition: number, kind: WaitKind, isWaiting: boolean) => void;

  /**
   * @param options.silenceMaxMs after so much silence it counts as hung
   * @param options.onWait told when a partition begins to wait, and when it no longer does
   */
  constructor({
    silenceMaxMs = SILENCE_MAX_MS,
    onWait = () => {},
    now,
  }: {
    silenceMaxMs?: number;
    onWait?: (partition: number, kind: WaitKind, isWaiting: boolean) => void;
    now?: () => number;
  } = {}) {
    this.#onWait = onWait;
    this.#pulse = new Pulse({ silenceMaxMs, now });
  }

  apply(event: Exclude<GroupEvent, { kind: "stopping" | "overdue" }> | { kind: "left" }): void {
    this.#isMember = event.kind === "joined";
    if (event.kind === "left") this.#forgetAllBut([]);
    if (event.kind === "joined") this.#forgetAllBut(event.partitions);
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
    const goOn = () => this.#goOn(partition);
    turn();
    return {
      turn,
      waitFor: (kind, reason) => {
        if (this.#waits.get(partition)?.kind !== kind) goOn();
        this.#waits.set(partition, { kind, reason });
        this.#onWait(partition, kind, true);
      },
      goOn,
      end: () => {
        // A partition that waits for somebody is left alone between two tries.
        if (this.#waits.get(partition)?.kind === "dependency") goOn();
        this.#pulse.end(strandOf(partition));
      },
    };
  }

  #goOn(partition: number): void {
    const wait = this.#waits.get(partition);
    if (wait === undefined) return;
    this.#waits.delete(partition);
    this.#onWait(partition, wait.kind, false);
  }

  /** Of a partition that is another's now we know nothing. */
  #forgetAllBut(ours: number[]): void {
    for (const partition of this.#waits.keys()) if (!ours.includes(partition)) this.#goOn(partition);
  }

  /** @throws Error while it is not a member of its group, or a partition waits */
  check(): void {
    if (!this.#isMember) throw new Error("not a member of the consumer group");
    if (this.#waits.size === 0) return;
    throw new Error(
      [...this.#waits].map(([partition, { reason }]) => `${strandOf(partition)} waits: ${reason}`).join("; "),
    );
  }

  /** @throws Error when nothing goes on any more; one that waits on purpose goes on */
  checkLoop(): void {
    this.#pulse.check();
  }
}
