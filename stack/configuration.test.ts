import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { describeConfiguration } from "./configuration.ts";
import { ROOT } from "./plan/layout.ts";

test("docs/configuration.md says what the schemas say; `npm run run -- npm run generate:configuration` writes it", async () => {
  expect(readFileSync(path.join(ROOT, "docs/configuration.md"), "utf8")).toBe(await describeConfiguration());
});

test("every process and every job has its schema where the document looks for it", () => {
  const mains = globSync(["{functions,workers,jobs}/*/main.ts", "gateway/main.ts"], { cwd: ROOT });
  expect(mains.length).toBeGreaterThan(10);
  const without = mains.filter((file) => !existsSync(path.join(ROOT, path.dirname(file), "config.ts")));
  expect(without).toEqual([]);
});
