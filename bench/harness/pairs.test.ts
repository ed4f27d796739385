import { expect, test } from "vitest";
import { isReached, measurePairs, median, ratioOf } from "./pairs.ts";

test("pairs are measured A-B-B-A, and each keeps its place", async () => {
  const order: string[] = [];
  const measured = await measurePairs(
    4,
    async () => order.push("a"),
    async () => order.push("b"),
  );
  expect(order.join("")).toBe("abbaabba");
  expect(measured).toEqual({ ours: [1, 4, 5, 8], theirs: [2, 3, 6, 7] });
});

test("a ratio is the middle of the pairs' ratios, not the ratio of the middles", () => {
  const ratio = ratioOf({ ours: [10, 100, 30], theirs: [10, 1_000, 10] });
  expect(ratio).toEqual({ median: 1, min: 0.1, max: 3 });
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("much is to be at least, little at most", () => {
  const measured = { what: "", beside: "", ours: [8], theirs: [10] };
  expect(isReached({ ...measured, goal: { atLeast: 0.8 } })).toBe(true);
  expect(isReached({ ...measured, goal: { atLeast: 0.9 } })).toBe(false);
  expect(isReached({ ...measured, goal: { atMost: 0.8 } })).toBe(true);
  expect(isReached({ ...measured, goal: { atMost: 0.7 } })).toBe(false);
});
