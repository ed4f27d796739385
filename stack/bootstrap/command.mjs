import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import { toolEnvironment } from "./paths.mjs";

/** Lines of a failed command's output that are worth showing: some tools say first what is wrong, others last. */
const FIRST_LINES = 12;
const LAST_LINES = 25;

/** Something the user can mend; shown as it is, without a stack trace. */
export class SetupError extends Error {
  name = "SetupError";
}

/**
 * @param {string} name a program's name or absolute path
 * @returns {string | undefined} the path of the first executable file of that name on the search path
 */
export function which(name) {
  const folders = isAbsolute(name) ? [""] : (toolEnvironment().PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {}
  }
  return undefined;
}

/**
 * Runs a command to its end and keeps its output to itself unless it fails.
 *
 * @param {string} what what the command is for, as a failure names it
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void}} [options]
 *   `onLine` sees each line of output as it comes
 * @returns {Promise<string>} what it wrote to standard output
 * @throws {SetupError} with the end of the output when the command can't be run or fails
 */
export function run(what, command, args, { cwd, env = toolEnvironment(), onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const lines = [];
    let stdout = "";
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (stream === child.stdout) stdout += `${line}\n`;
        onLine?.(line);
      });
    }
    child.on("error", (error) => reject(new SetupError(`${what}: can't run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const left = lines.length - FIRST_LINES - LAST_LINES;
      if (left > 0) lines.splice(FIRST_LINES, left, `… ${left} lines …`);
      const output = lines.map((line) => `    ${line}`);
      const ending = signal ? `was ended by ${signal}` : `failed (exit code ${code})`;
      reject(new SetupError([`${what} ${ending}: ${[command, ...args].join(" ")}`, ...output].join("\n")));
    });
  });
}
