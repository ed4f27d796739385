import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");

/** What the bootstrap installs for this project alone; ignored by git, safe to delete. */
export const TOOLS = join(ROOT, ".tools");

/** The search path, with the places of system programs that a normal user's PATH leaves out. */
const SEARCH_PATH = [
  ...(process.env.PATH ?? "").split(delimiter).filter(Boolean),
  "/usr/local/go/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/opt/homebrew/bin",
];

/**
 * The environment of everything that runs under the project's own Node.js.
 *
 * @param {string[]} binFolders folders that come first on the PATH
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnvironment(binFolders = []) {
  const path = [...new Set([...binFolders, ...SEARCH_PATH])].join(delimiter);
  return { ...process.env, HOME: process.env.HOME || homedir(), PATH: path };
}
