import { expect, test } from "vitest";
import { createPatience } from "./patience.ts";

function bucket() {
  let clockMs = 0;
  const patience = createPatience({ maxMs: 1_000, refillRatio: 0.1, now: () => clockMs });
  return { patience, pass: (ms: number) => (clockMs += ms) };
}

test("no more can be spent at once than the most, and a refusal takes nothing off", () => {
  const { patience } = bucket();
  expect(patience.trySpend(700)).toBe(true);
  expect(patience.trySpend(400)).toBe(false);
  expect(patience.trySpend(300)).toBe(true);
});

test("in the long run no more is spent than a tenth of the time, and nothing is saved up beyond the most", () => {
  const { patience, pass } = bucket();
  patience.spend(5_000);
  pass(1_000);
  expect(patience.trySpend(101)).toBe(false);
  expect(patience.trySpend(100)).toBe(true);
  pass(3_600_000);
  expect(patience.trySpend(1_001)).toBe(false);
  expect(patience.trySpend(1_000)).toBe(true);
});
