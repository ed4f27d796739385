import type { EachBatchPayload } from "kafkajs";
import { pause } from "../../backoff.ts";
import type { BatchHealth, WaitKind } from "./health.ts";

/** The brokers' smallest is 6 s; a killed consumer's partitions move on after this. */
export const SESSION_TIMEOUT_MS = 10_000;
export const HEARTBEAT_INTERVAL_MS = 2_000;
/** Work that takes longer is stuck; without heartbeats the group gives its partition to another. */
const WORK_MS_MAX = 60_000;

/** Our place in the group, of which a partition is ours. */
export interface Place {
  /** Runs `work` with heartbeats. A rebalance meanwhile is found by the next `beat`. */
  keepDuring<T>(work: () => Promise<T>): Promise<T>;
  /** @throws Interrupted if the place is lost */
  beat(): Promise<void>;
  /**
   * Waits before another attempt.
   *
   * @param reason the error because of which there has to be one
   * @throws Interrupted if there is none: we are stopping, or the place is lost
   */
  wait(ms: number, reason: unknown): Promise<void>;
  /** Says until work succeeds that the partition waits on purpose, and why. */
  stall(kind: WaitKind, reason: string): void;
}

/** The batch can't go on here: we are stopping or the group rebalances. Uncommitted, it comes again. */
export class Interrupted extends Error {
  override name = "Interrupted";
  readonly reason: unknown;
  constructor(reason: unknown) {
    super("interrupted");
    this.reason = reason;
  }
}

/** @param payload of the batch that is handled */
export function createPlace(
  payload: Pick<EachBatchPayload, "heartbeat" | "isStale">,
  health: BatchHealth,
  stopping: AbortSignal,
): Place {
  const beat = async () => {
    try {
      await payload.heartbeat();
    } catch (error) {
      throw new Interrupted(error);
    }
  };
  return {
    async keepDuring(work) {
      health.turn();
      const startedAt = performance.now();
      const timer = setInterval(() => {
        if (performance.now() - startedAt < WORK_MS_MAX) payload.heartbeat().catch(() => {});
      }, HEARTBEAT_INTERVAL_MS);
      try {
        const result = await work();
        health.goOn();
        return result;
      } finally {
        clearInterval(timer);
      }
    },
    beat,
    stall: (kind, reason) => health.waitFor(kind, reason),
    async wait(ms, reason) {
      health.turn();
      await pause(ms, stopping);
      if (stopping.aborted) throw new Interrupted(reason);
      await beat();
      if (payload.isStale()) throw new Interrupted(reason);
    },
  };
}
