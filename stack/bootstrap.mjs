#!/usr/bin/env node
// Sets the project up as far as something is missing, then runs a command under its Node.js 22.
// Plain JavaScript without dependencies: it is what runs before anything of the project is installed.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { SetupError } from "./bootstrap/command.mjs";
import { ROOT, toolEnvironment } from "./bootstrap/paths.mjs";
import { setUp } from "./bootstrap/set-up.mjs";

const STACK = ["dependencies", "servers", "bundles"];

/** What each command needs, and what it runs under Node.js 22. */
const COMMANDS = {
  start: { needs: STACK, command: (args) => ["node", "stack/commands/main.ts", "start", ...args] },
  status: { needs: ["dependencies"], command: (args) => ["node", "stack/commands/main.ts", "status", ...args] },
  reset: { needs: ["dependencies"], command: (args) => ["node", "stack/commands/main.ts", "reset", ...args] },
  "check:invariants": {
    needs: ["dependencies"],
    command: (args) => ["node", "stack/commands/check-invariants.ts", ...args],
  },
  demo: { needs: ["dependencies"], command: (args) => ["node", "stack/commands/demo.ts", ...args] },
  test: { needs: [...STACK, "browser"], command: (args) => ["vitest", "run", ...args] },
  faults: { needs: STACK, command: (args) => ["node", "tests/faults/main.ts", ...args] },
  fuzz: { needs: STACK, command: (args) => ["node", "tests/fuzz/main.ts", ...args] },
  sessions: { needs: STACK, command: (args) => ["node", "tests/sessions/main.ts", ...args] },
  verify: { needs: ["dependencies"], command: () => ["sh", "-c", verifyScript()] },
  bench: { needs: STACK, command: (args) => ["node", ...args] },
  run: { needs: ["dependencies"], command: (args) => args },
};

const USAGE = `Usage: node stack/bootstrap.mjs ${Object.keys(COMMANDS).join(" | ")} [arguments]`;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

async function main([name, ...args]) {
  const entry = COMMANDS[name];
  if (!entry || (name === "run" && args.length === 0)) throw new SetupError(USAGE);
  const node = await setUp(entry.needs);
  return execute(node, entry.command(args));
}

/** Every `verify:*` script of package.json, in its order; the first that fails ends it. */
function verifyScript() {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const steps = Object.entries(scripts).filter(([script]) => script.startsWith("verify:"));
  return ["set -e", ...steps.map(([script, body]) => `echo '→ ${script}'; ${body}`)].join("\n");
}

/** @returns {Promise<number>} the exit code, as a shell would give it */
function execute(node, [command, ...args]) {
  const binFolders = [dirname(node), join(ROOT, "node_modules/.bin"), join(ROOT, ".tools")];
  const program = command === "node" ? node : command;
  const child = spawn(program, args, { cwd: ROOT, stdio: "inherit", env: toolEnvironment(binFolders) });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal sends Ctrl-C to the child as well; any other signal reaches this process alone.
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY) || child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new SetupError(`Can't run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
