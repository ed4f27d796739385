import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, SetupError } from "./command.mjs";
import { npm } from "./npm.mjs";
import { TOOLS } from "./paths.mjs";

/** The Node.js that is installed when the machine's own is not of the project's major. */
const NODE_VERSION = "22.23.3";

/** The oldest minor of Node.js 22 that runs TypeScript without a flag. */
const MINOR_MIN = 18;

/** @returns {string | undefined} the path of a Node.js that the project can run under, if one is there */
export function findNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major === 22 && minor >= MINOR_MIN) return process.execPath;
  return existsSync(ownNode()) ? ownNode() : undefined;
}

/**
 * Installs Node.js from npm's registry into the project's own tools.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @returns {Promise<string>} its path
 */
export function installNode(progress) {
  return progress.step(`Node.js ${NODE_VERSION} (this machine has ${process.versions.node})`, async () => {
    mkdirSync(TOOLS, { recursive: true });
    const folder = mkdtempSync(join(TOOLS, "node-install-"));
    try {
      const fetched = await fetchNode(folder);
      const version = (await run("Node.js", fetched, ["--version"])).trim();
      if (version !== `v${NODE_VERSION}`) throw new SetupError(`expected Node.js v${NODE_VERSION}, got ${version}`);
      mkdirSync(join(ownNode(), ".."), { recursive: true });
      renameSync(fetched, ownNode());
      return ownNode();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/**
 * The package of one platform holds the program itself; the package `node` only fetches that package in an install
 * script, but knows the odd names of a few platforms.
 */
async function fetchNode(folder) {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const attempts = [`node-${process.platform}-${process.arch}`, "node"];
  let lastError;
  for (const name of attempts) {
    try {
      const args = ["install", "--no-save", "--no-package-lock", "--ignore-scripts=false", `${name}@${NODE_VERSION}`];
      await npm("Installing Node.js 22", process.execPath, args, { cwd: folder });
      const file = join(folder, "node_modules", name, "bin", "node");
      if (existsSync(file)) {
        chmodSync(file, 0o755);
        return file;
      }
    } catch (error) {
      lastError = error;
      if (!error.message.includes("E404")) break;
    }
  }
  const advice = "Install Node.js 22 yourself and put it first on the PATH (https://nodejs.org, nvm install 22).";
  throw new SetupError(`${lastError?.message ?? "npm's package holds no Node.js"}\n${advice}`);
}

function ownNode() {
  return join(TOOLS, `node-${NODE_VERSION}`, "bin", "node");
}
