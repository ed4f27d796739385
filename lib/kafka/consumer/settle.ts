import type { KafkaMessage } from "kafkajs";
import type { Logger } from "../../telemetry/log.ts";
import { type Decision, decide, type Failure } from "./decide.ts";
import type { Gate } from "./gate.ts";
import type { Received } from "./parse-message.ts";
import type { Patience } from "./patience.ts";
import type { Place } from "./place.ts";

/** A message of a chunk on its way to being handled or dead. */
export interface Entry<E> {
  message: KafkaMessage;
  event: Received<E> | undefined;
  /** Why it is dead. */
  reason: string | undefined;
  isSettled: boolean;
}

/** An entry that is an event. */
export type EventEntry<E> = Entry<E> & { event: Received<E> };

export interface SettleDeps<E> {
  handle: (events: Received<E>[]) => Promise<void>;
  isUnavailable: (error: unknown) => boolean;
  patience: Patience;
  /** Lets so many die and no more. */
  gate: Gate;
  place: Place;
  log: Logger;
}

/**
 * Handles events together; if they fail, first the one half of them and then the other, so that a few at fault among
 * hundreds cost a few calls. Ends when all are handled or dead.
 *
 * @throws Interrupted, or Refused by the gate; what was settled before is marked
 */
export async function settle<E>(entries: EventEntry<E>[], deps: SettleDeps<E>): Promise<void> {
  if (entries.length === 0) return;
  const decision = await tryHandle(entries, deps);
  if (decision?.kind === "halve") {
    await deps.place.beat();
    const middle = Math.ceil(entries.length / 2);
    await settle(entries.slice(0, middle), deps);
    await settle(entries.slice(middle), deps);
    return;
  }
  for (const entry of entries) {
    entry.reason = decision?.reason;
    entry.isSettled = true;
    deps.gate.count(entry.reason !== undefined);
  }
  if (entries.length === 1) await deps.place.beat();
}

/** @returns undefined if they are handled, else what remains to be done when waiting and trying again has an end */
async function tryHandle<E>(
  entries: EventEntry<E>[],
  deps: SettleDeps<E>,
): Promise<Extract<Decision, { kind: "halve" | "bury" }> | undefined> {
  const { handle, isUnavailable, patience, gate, place, log } = deps;
  const events = entries.map(({ event }) => event);
  for (let failures = 0, waits = 0; ; ) {
    const startedAt = performance.now();
    try {
      await place.keepDuring(() => handle(events));
      return undefined;
    } catch (error) {
      const failure: Failure = {
        error,
        events: events.length,
        tookMs: performance.now() - startedAt,
        failures: failures + 1,
        waits,
      };
      const decision = decide(failure, { isUnavailable, patience });
      logFailure(log, decision, failure, events[0]?.offset);
      if (decision.kind === "halve") return decision;
      if (decision.kind === "bury") {
        await gate.pass(events[0]?.offset as string, decision.reason);
        return decision;
      }
      if (decision.kind === "wait") {
        waits += 1;
        place.stall("dependency", `a dependency is away: ${(error as Error).message}`);
      } else {
        failures += 1;
        waits = 0;
      }
      await place.wait(decision.ms, error);
    }
  }
}

function logFailure(log: Logger, { kind }: Decision, failure: Failure, offset: string | undefined): void {
  const { error: err, events: count, failures, waits: attempts } = failure;
  if (kind === "wait") log.warn({ err, attempts }, "dependency unavailable; waiting");
  else if (kind === "halve") log.warn({ err, count }, "batch failed; trying its halves");
  else log.warn({ err, offset, failures }, "event failed");
}
