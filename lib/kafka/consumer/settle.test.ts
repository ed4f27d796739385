import { pino } from "pino";
import { expect, test } from "vitest";
import { HANDLE_ATTEMPTS_MAX } from "./decide.ts";
import type { Gate } from "./gate.ts";
import { createPatience } from "./patience.ts";
import { Interrupted, type Place } from "./place.ts";
import { type EventEntry, type SettleDeps, settle } from "./settle.ts";

/** A place that nobody takes away, where no wait takes any time. */
const safe: Place = { keepDuring: (work) => work(), beat: async () => {}, wait: async () => {}, stall: () => {} };
/** A gate that lets everything pass. */
const everythingPasses: Gate = { refusals: 0, pass: async () => {}, count: () => {} };

const entriesOf = (count: number): EventEntry<number>[] =>
  Array.from({ length: count }, (_, n) => ({
    message: { offset: String(n) } as EventEntry<number>["message"],
    event: { event: n, partition: 0, offset: String(n), traceparent: undefined },
    reason: undefined,
    isSettled: false,
  }));

/** Settles so many events of which these fail for ever; notes what was handled, and every call. */
async function settleAll(
  count: number,
  failing: number[],
  { gate = everythingPasses, ...options }: Partial<SettleDeps<number>> = {},
) {
  const handled: number[] = [];
  const calls: number[][] = [];
  const entries = entriesOf(count);
  const error = await settle(entries, {
    handle: async (events) => {
      const ns = events.map(({ event }) => event);
      calls.push(ns);
      if (ns.some((n) => failing.includes(n))) throw new Error("a defect");
      handled.push(...ns);
    },
    isUnavailable: () => false,
    patience: createPatience({ maxMs: 60_000, refillRatio: 0.1 }),
    place: safe,
    gate,
    log: pino({ level: "silent" }),
    ...options,
  }).catch((thrown: unknown) => thrown);
  const dead = entries.flatMap(({ event, reason }) => (reason === undefined ? [] : [event.event]));
  const open = entries.filter(({ isSettled }) => !isSettled).map(({ event }) => event.event);
  return { handled, calls, dead, open, error };
}

const without = (count: number, failing: number[]) =>
  Array.from({ length: count }, (_, n) => n).filter((n) => !failing.includes(n));

test("what can be handled is handled together, in one call", async () => {
  const { calls, handled, dead, open } = await settleAll(500, []);
  expect(calls).toHaveLength(1);
  expect({ handled, dead, open }).toEqual({ handled: without(500, []), dead: [], open: [] });
});

test("one at fault among 500 is found in some twenty calls, and the others are handled once, in order", async () => {
  const { calls, handled, dead, open } = await settleAll(500, [321]);
  expect({ handled, dead, open }).toEqual({ handled: without(500, [321]), dead: [321], open: [] });
  expect(calls.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(500)) + HANDLE_ATTEMPTS_MAX);
});

test.each([
  ["the first and the last", [0, 99]],
  ["neighbours", [40, 41, 42]],
  ["all", without(100, [])],
])("at fault: %s", async (_, failing) => {
  const { handled, dead, open } = await settleAll(100, failing);
  expect({ handled, dead, open }).toEqual({ handled: without(100, failing), dead: failing, open: [] });
});

test("a dependency that is away is waited for with all events in hand: none is dead, none is handled alone", async () => {
  const away = new Error("down");
  let outages = 20;
  const sizes: number[] = [];
  const { dead, open, error } = await settleAll(10, [], {
    isUnavailable: (thrown) => thrown === away,
    handle: async (events) => {
      sizes.push(events.length);
      if (outages-- > 0) throw away;
    },
  });
  expect({ dead, open, error }).toEqual({ dead: [], open: [], error: undefined });
  expect(new Set(sizes)).toEqual(new Set([10]));
});

test("when its place is lost it stops where it is: what was settled before is marked, the rest is untouched", async () => {
  let waits = 0;
  const lost: Place = {
    ...safe,
    wait: async (_ms, reason) => {
      waits += 1;
      if (waits === 2) throw new Interrupted(reason);
    },
  };
  const { handled, dead, open, error } = await settleAll(4, [2], { place: lost });
  expect(error).toBeInstanceOf(Interrupted);
  expect({ handled, dead, open }).toEqual({ handled: [0, 1], dead: [], open: [2, 3] });
});
