import { backoffMs } from "../../backoff.ts";
import type { Patience } from "./patience.ts";

/** Attempts at an event that fails although every dependency answers: about a second in all, then it is dead. */
export const HANDLE_ATTEMPTS_MAX = 5;
const HANDLE_BACKOFF = { baseMs: 100, maxMs: 1_000 };
export const UNAVAILABLE_BACKOFF = { baseMs: 100, maxMs: 2_000 };
/** Between two tries of what may not die. */
export const REFUSED_BACKOFF = { baseMs: 500, maxMs: 5_000 };

/** An attempt that failed. */
export interface Failure {
  error: unknown;
  /** How many events were handled together. */
  events: number;
  /** How long the attempt took, in milliseconds. */
  tookMs: number;
  /** How often this event has failed alone, this time included. */
  failures: number;
  /** How often in a row its dependency was away before. */
  waits: number;
}

/** What to do about it. */
export type Decision =
  /** The dependency is away: all would fail. The partition waits, for as long as it takes. */
  | { kind: "wait"; ms: number }
  /** One of several is at fault: handle each half of them. */
  | { kind: "halve" }
  /** It may have been an accident. */
  | { kind: "retry"; ms: number }
  /** It is at fault: a dead letter. */
  | { kind: "bury"; reason: string };

/**
 * Decides what becomes of events whose handler failed. What is no event at all dies in parse-message.ts, and what would be one dead
 * letter too many is kept back by gate.ts.
 *
 * Wait, retry or bury (docs/adr/0009-wait-or-bury.md, 0011-bounded-patience.md).
 *
 * @param options.isUnavailable which errors mean "not now"
 * @param options.patience what may still be spent on what fails; taken off here
 */
export function decide(
  { error, events, tookMs, failures, waits }: Failure,
  { isUnavailable, patience }: { isUnavailable: (error: unknown) => boolean; patience: Patience },
): Decision {
  if (isUnavailable(error)) return { kind: "wait", ms: backoffMs(waits, UNAVAILABLE_BACKOFF) };
  if (events > 1) return { kind: "halve" };
  patience.spend(tookMs);
  const ms = backoffMs(failures - 1, HANDLE_BACKOFF);
  if (failures < HANDLE_ATTEMPTS_MAX && patience.trySpend(ms)) return { kind: "retry", ms };
  const times = failures === 1 ? "once" : `${failures} times`;
  return { kind: "bury", reason: `handler failed ${times}: ${(error as Error).message}` };
}
