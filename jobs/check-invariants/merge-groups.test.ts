import { expect, test } from "vitest";
import { mergeGroups } from "./merge-groups.ts";

async function* batches(...rows: string[][]): AsyncGenerator<string[]> {
  yield* rows;
}
const merge = async (left: AsyncIterable<string[]>, right: AsyncIterable<string[]>) => {
  const groups: string[] = [];
  const keyOf = (row: string) => row.slice(0, 1);
  for await (const group of mergeGroups(left, keyOf, right, keyOf)) {
    groups.push(`${group.key}: ${group.left} | ${group.right}`);
  }
  return groups;
};

test("every key of either side comes once, with all its rows, across batches", async () => {
  expect(await merge(batches(["a1", "b1"], [], ["b2", "d1"]), batches(["b3", "c1"], ["e1"]))).toEqual([
    "a: a1 | ",
    "b: b1,b2 | b3",
    "c:  | c1",
    "d: d1 | ",
    "e:  | e1",
  ]);
  expect(await merge(batches(), batches())).toEqual([]);
});

test("a side that is not sorted is an error, and both sides are closed", async () => {
  let isClosed = false;
  async function* letters(): AsyncGenerator<string[]> {
    try {
      for (const key of "abcdefg") yield [key];
    } finally {
      isClosed = true;
    }
  }
  const filled = batches(["c1", "d1", "a1"]);
  await expect(merge(filled, letters())).rejects.toThrow("not sorted: a came after d");
  expect(isClosed).toBe(true);
});
