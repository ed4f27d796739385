import { expect, test } from "vitest";
import { Budget } from "./budget.ts";

test("each key has its burst at once, and after that so many a second", () => {
  let now = 0;
  const budget = new Budget({ burst: 3, perSecond: 2, now: () => now });
  const takeAll = (key: string) => {
    let taken = 0;
    while (budget.take(key)) taken += 1;
    return taken;
  };
  expect([takeAll("one"), takeAll("one"), takeAll("two")]).toEqual([3, 0, 3]);
  now += 1_000;
  expect(takeAll("one")).toBe(2);
  now += 60_000;
  expect(takeAll("one")).toBe(3);
});

test("keys that nobody uses any more are forgotten, and those that are in debt are not", () => {
  let now = 0;
  const budget = new Budget({ burst: 1, perSecond: 1, now: () => now });
  for (let key = 0; key < 10_000; key++) budget.take(String(key));
  now += 2_000;
  budget.take("in debt");
  for (let key = 0; key < 10_000; key++) expect(budget.take(`later ${key}`)).toBe(true);
  expect(budget.take("in debt")).toBe(false);
});
