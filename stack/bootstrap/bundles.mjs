import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { ROOT } from "./paths.mjs";

const SOURCES = [
  "functions",
  "workers",
  "gateway",
  "jobs",
  "domain",
  "lib",
  "drizzle",
  "proto",
  "stack/commands/build.ts",
  "stack/commands/bundle-options.ts",
];
const STAMP = join(ROOT, "dist/.built-from");

/** @returns {boolean} whether `dist/` was built from the sources as they are now */
export function hasBundles() {
  try {
    return readFileSync(STAMP, "utf8") === sourceState();
  } catch {
    return false;
  }
}

/**
 * @param {import("./progress.mjs").Progress} progress
 * @param {string} node path of Node.js 22
 */
export function buildBundles(progress, node) {
  return progress.step("Bundles (esbuild)", async () => {
    const state = sourceState();
    await run("Building the bundles", node, ["stack/commands/build.ts"], { cwd: ROOT });
    writeFileSync(STAMP, state);
  });
}

/** Sizes and times instead of contents: a few hundred files have to be looked at before every start. */
function sourceState() {
  const hash = createHash("sha256");
  for (const path of [...SOURCES, "package-lock.json"].flatMap((source) => filesOf(join(ROOT, source)))) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function filesOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  if (!stats.isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(join(path, name)));
}
