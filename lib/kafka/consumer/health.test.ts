import { expect, test } from "vitest";
import { ConsumerHealth } from "./health.ts";

function start() {
  let clockMs = 0;
  const health = new ConsumerHealth({ silenceMaxMs: 90_000, now: () => clockMs });
  health.apply({ kind: "joined", partitions: [0, 1] });
  return { health, pass: (ms: number) => (clockMs += ms) };
}

test("one that waits on purpose is alive, and says that it is not ready and why", () => {
  const { health, pass } = start();
  const batch = health.beginBatch(1);
  for (let waits = 0; waits < 100; waits++) {
    batch.waitFor("dependency", "a dependency is away: down");
    pass(2_000);
    batch.turn();
  }
  expect(() => health.checkLoop()).not.toThrow();
  expect(() => health.check()).toThrow("partition 1 waits: a dependency is away: down");
  batch.goOn();
  expect(() => health.check()).not.toThrow();
});

test("a batch whose handler never returns is found, however busy the other partitions are", () => {
  const { health, pass } = start();
  health.beginBatch(0);
  const other = health.beginBatch(1);
  for (let turns = 0; turns < 10; turns++) {
    pass(10_000);
    other.turn();
  }
  expect(() => health.checkLoop()).toThrow(/^partition 0 has not turned for 100 s$/);
});

test("nothing is expected of a batch that has ended", () => {
  const { health, pass } = start();
  const batch = health.beginBatch(0);
  batch.waitFor("dependency", "a dependency is away: down");
  batch.end();
  pass(89_000);
  health.turn();
  pass(89_000);
  expect(() => health.checkLoop()).not.toThrow();
  expect(() => health.check()).not.toThrow();
});

test("a life in which nothing happens any more is found, member of the group or not", () => {
  const { health, pass } = start();
  pass(91_000);
  expect(() => health.checkLoop()).toThrow(/^the life in the group has not turned for 91 s$/);
  health.apply({ kind: "left" });
  expect(() => health.checkLoop()).not.toThrow();
  pass(91_000);
  expect(() => health.checkLoop()).toThrow("the life in the group");
});

test("a partition that waits for somebody does so between its batches, until it goes on or is another's", () => {
  const { health, pass } = start();
  for (const partition of [0, 1]) {
    const batch = health.beginBatch(partition);
    batch.waitFor("dead_letters", "too many dead letters");
    batch.end();
  }
  pass(1_000);
  expect(() => health.check()).toThrow(
    "partition 0 waits: too many dead letters; partition 1 waits: too many dead letters",
  );
  health.beginBatch(0).goOn();
  expect(() => health.check()).toThrow(/^partition 1 waits/);
  health.apply({ kind: "joined", partitions: [0] });
  expect(() => health.check()).not.toThrow();
});
