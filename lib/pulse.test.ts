import { expect, test } from "vitest";
import { Pulse } from "./pulse.ts";

function pulse() {
  let clockMs = 0;
  const it = new Pulse({ silenceMaxMs: 60_000, now: () => clockMs });
  return { pulse: it, pass: (ms: number) => (clockMs += ms) };
}

test("what turns in time is well, what has not is named with its silence", () => {
  const { pulse: it, pass } = pulse();
  it.turn("fetch 1");
  it.turn("fetch 2");
  pass(40_000);
  it.turn("fetch 2");
  pass(20_000);
  expect(() => it.check()).not.toThrow();
  pass(1_000);
  expect(() => it.check()).toThrow(/^fetch 1 has not turned for 61 s$/);
  it.turn("fetch 1");
  expect(() => it.check()).not.toThrow();
});

test("nothing is expected of what is over, nor of what has not begun", () => {
  const { pulse: it, pass } = pulse();
  pass(1_000_000);
  expect(() => it.check()).not.toThrow();
  it.turn();
  it.end();
  pass(1_000_000);
  expect(() => it.check()).not.toThrow();
  expect(it.silent()).toEqual([]);
});
