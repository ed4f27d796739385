import { expect, test } from "vitest";
import { type Decision, decide, type Failure, HANDLE_ATTEMPTS_MAX } from "./decide.ts";
import { createPatience } from "./patience.ts";

const away = new Error("down");
const isUnavailable = (error: unknown) => error === away;
const fault = new Error("a defect");

/** Decides about failure after failure, with so much patience and a clock that stands still. */
function decider(patienceMs = 60_000) {
  const patience = createPatience({ maxMs: patienceMs, refillRatio: 0.1, now: () => 0 });
  return (failure: Partial<Failure>) =>
    decide({ error: fault, events: 1, tookMs: 0, failures: 1, waits: 0, ...failure }, { isUnavailable, patience });
}

const waitOf = (decision: Decision) => ("ms" in decision ? decision.ms : Number.NaN);

test("while the dependency is away everything waits, one or many, however often it was tried, and that spends no patience", () => {
  const decideNext = decider(0);
  for (const events of [1, 2, 500]) {
    for (const waits of [0, 1, 10, 1_000]) {
      const decision = decideNext({ error: away, events, waits, failures: 99, tookMs: 10_000 });
      expect(decision.kind).toBe("wait");
      expect(waitOf(decision)).toBeLessThanOrEqual(2_000);
    }
  }
  expect(waitOf(decideNext({ error: away, waits: 0 }))).toBeLessThanOrEqual(100);
  expect(waitOf(decideNext({ error: away, waits: 9 }))).toBeGreaterThanOrEqual(1_000);
});

test("several that fail together are handled by halves, and none of them is dead", () => {
  expect(decider(0)({ events: 2, failures: HANDLE_ATTEMPTS_MAX })).toEqual({ kind: "halve" });
});

test("one that fails alone is tried again, ever later, and buried at its last attempt with the reason", () => {
  const decideNext = decider();
  const decisions = Array.from({ length: HANDLE_ATTEMPTS_MAX }, (_, i) => decideNext({ failures: i + 1 }));
  expect(decisions.map(({ kind }) => kind)).toEqual(["retry", "retry", "retry", "retry", "bury"]);
  const waits = decisions.slice(0, -1).map(waitOf);
  for (const [i, ms] of waits.entries()) expect(ms).toBeLessThanOrEqual(100 * 2 ** i);
  expect(decisions.at(-1)).toEqual({ kind: "bury", reason: "handler failed 5 times: a defect" });
});

test("when the patience is spent, by waits or by slow attempts, it is buried at once", () => {
  expect(decider(0)({})).toEqual({ kind: "bury", reason: "handler failed once: a defect" });
  const decideNext = decider(3_000);
  expect(decideNext({ tookMs: 2_900, failures: 1 }).kind).toBe("retry");
  expect(decideNext({ tookMs: 2_900, failures: 2 })).toEqual({
    kind: "bury",
    reason: "handler failed 2 times: a defect",
  });
});
