import { expect, test } from "vitest";
import { addReadGauges, createMetrics } from "./metrics.ts";

test("gauges that are read together are read once a scrape, and are NaN when the read fails", async () => {
  const metrics = createMetrics();
  let reads = 0;
  let answer = async () => ({ rows: 3, oldest: 7 });
  addReadGauges(metrics, { rows: "Rows.", oldest: "Oldest." }, () => {
    reads += 1;
    return answer();
  });
  const values = async () => {
    const text = await metrics.registry.metrics();
    return ["rows", "oldest"].map((name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]));
  };
  expect(await values()).toEqual([3, 7]);
  expect(reads).toBe(1);
  answer = async () => {
    throw new Error("the database is gone");
  };
  expect(await values()).toEqual([Number.NaN, Number.NaN]);
});
