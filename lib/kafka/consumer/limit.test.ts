import { expect, test } from "vitest";
import { DeadLetterLimit } from "./limit.ts";

const bounds = { runMax: 3, deadMax: 5, windowMessages: 20 };

/** Counts messages as long as they may die: `x` wants to. @returns what it came to */
function count(outcomes: string, limit = new DeadLetterLimit(bounds)): string {
  let done = "";
  for (const outcome of outcomes) {
    if (outcome === "x" && !limit.allows()) break;
    limit.count(outcome === "x");
    done += outcome;
  }
  return done;
}

test("a few among good ones may die, for ever", () => {
  const outcomes = "xx....x...".repeat(1_000).replaceAll("xx", "x.");
  expect(count(outcomes)).toBe(outcomes);
});

test("a run of them stops", () => {
  expect(count("..xxxxxx")).toBe("..xxx");
  expect(count("..xxx")).toBe("..xxx");
  expect(count("xx.xx.xxx")).toBe("xx.xx.x");
});

test("so does a share, and goes on when the old ones are long ago", () => {
  expect(count("x.".repeat(20))).toBe("x.x.x.x.x.");
  const limit = new DeadLetterLimit(bounds);
  expect(count("xx.xx.x", limit)).toBe("xx.xx.x");
  expect(limit.allows()).toBe(false);
  count(".".repeat(12), limit);
  expect(limit.allows(), "the first is still among the last 20").toBe(false);
  count("..", limit);
  expect(count("xx", limit), "the first two are not").toBe("xx");
});

test("after a mend what died before does not count", () => {
  const limit = new DeadLetterLimit(bounds);
  expect(count("xxxxx", limit)).toBe("xxx");
  limit.reset();
  expect(count("xxxxx", limit)).toBe("xxx");
});
