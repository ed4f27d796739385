import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { npm, ownNpm } from "./npm.mjs";
import { ROOT } from "./paths.mjs";

const STAMP = join(ROOT, "node_modules", ".installed-for");

/** @returns {boolean} whether node_modules fits the lockfile, the patches, the platform and Node.js 22 */
export function hasDependencies() {
  try {
    return readFileSync(STAMP, "utf8") === expectedStamp();
  } catch {
    return false;
  }
}

/**
 * Installs the dependencies by the project's own Node.js, since native packages choose their binary by it.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {string} node path of Node.js 22
 */
export function installDependencies(progress, node) {
  return progress.step("Dependencies (npm ci)", async () => {
    const args = ["ci", "--ignore-scripts=false", "--include=dev", "--include=optional"];
    await npm("npm ci", node, args, { cwd: ROOT, cli: await ownNpm(node), binFolders: [dirname(node)] });
    writeFileSync(STAMP, expectedStamp());
  });
}

/** Written last into node_modules, so a half-finished installation is never taken for a whole one. */
function expectedStamp() {
  const patches = readdirSync(join(ROOT, "patches")).sort();
  const hash = createHash("sha256");
  for (const file of ["package-lock.json", ...patches.map((name) => join("patches", name))]) {
    hash.update(readFileSync(join(ROOT, file)));
  }
  return `${hash.digest("hex")} node22 ${process.platform}-${process.arch}\n`;
}
