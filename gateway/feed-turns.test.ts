import { expect, test } from "vitest";
import { FeedTurns } from "./feed-turns.ts";

function start() {
  let clockMs = 0;
  return { turns: new FeedTurns<string>(100_000, () => clockMs), pass: (ms: number) => (clockMs += ms) };
}

test("a feed that stands still while others turn is named once, and the edge is well", () => {
  const { turns, pass } = start();
  turns.begin("stuck");
  const well = turns.begin("well");
  for (let turned = 0; turned < 3; turned++) {
    pass(70_000);
    well.turn();
    expect(() => turns.check()).not.toThrow();
    expect(turns.takeStanding()).toEqual(turned < 2 ? [] : ["stuck"]);
  }
  expect(turns.takeStanding()).toEqual([]);
});

test("an edge of whose feeds none turns is found, before any of them is", () => {
  const { turns, pass } = start();
  turns.begin("one");
  turns.begin("other");
  pass(101_000);
  expect(() => turns.check()).toThrow("every feed has not turned for 101 s");
  expect(turns.takeStanding()).toEqual([]);
});

test("an edge without feeds is well, and one whose feeds have ended too", () => {
  const { turns, pass } = start();
  const feed = turns.begin("one");
  feed.end();
  feed.turn();
  pass(1_000_000);
  expect(() => turns.check()).not.toThrow();
  expect(turns.takeStanding()).toEqual([]);
});
