import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import getPort from "get-port";
import { type Stack, startStack } from "../../stack/index.ts";
import { describeProgress, printOutcome } from "./report.ts";
import { type FaultRunOptions, runFaults } from "./run.ts";
import type { System } from "./system.ts";

const USAGE = "Usage: npm run test:faults -- [--seed 1,2,3] [--players 10000] [--faults 200]";
/** As many of everything as the containers have. */
const WORKERS = {
  "outbox-relay-users": 2,
  "outbox-relay-promotions": 2,
  "welcome-bonus": 3,
  notifier: 3,
  "claim-reconciler": 2,
  "assignment-expirer": 2,
};

const { seeds, ...scale } = parse(process.argv.slice(2));
let failed = false;
for (const seed of seeds) {
  if (!(await runSeed({ seed, ...scale }))) {
    failed = true;
    break;
  }
}
process.exit(failed ? 1 : 0);

/** One run on a fresh system of its own. @returns whether there was no violation */
async function runSeed(options: FaultRunOptions): Promise<boolean> {
  const dir = await mkdtemp(path.join(tmpdir(), "casino-faults-"));
  const replay = `npm run test:faults -- --seed ${options.seed} --players ${options.players} --faults ${options.faults}`;
  console.log(
    `\nSeed ${options.seed}: ${options.players} players, ${options.faults} faults; a fresh system starts in ${dir}`,
  );
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error("stopped by a signal"));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let stack: Stack | undefined;
  let isExact = false;
  try {
    const port = await getPort();
    stack = await startStack({ dir, port, replicas: 3, brokers: 3, workers: WORKERS, signal: stopping.signal });
    const run = runFaults(systemOf(stack), options, (progress) => console.log(describeProgress(progress, options)));
    const outcome = await Promise.race([run, once(stopping.signal, "abort").then(() => Promise.reject(new Error()))]);
    printOutcome(outcome);
    isExact = outcome.violations.length === 0;
  } catch (error) {
    console.error(`\n✖ ${stopping.signal.aborted ? "Stopped by a signal." : (error as Error).stack}`);
  } finally {
    await stack?.stop();
  }
  if (isExact) await rm(dir, { recursive: true, force: true });
  else console.error(`\nLogs and data stay in ${dir}\nReplay it: ${replay}`);
  return isExact;
}

function systemOf(stack: Stack): System {
  return {
    url: stack.url,
    admin: stack.admin,
    ...stack.endpoints,
    list: async () => stack.processes(),
    signal: async (name, signal) => stack.kill(name, signal),
    stop: (name) => stack.stopProcess(name),
    start: (name) => stack.startProcess(name),
  };
}

function parse(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: "string", default: "1" },
        players: { type: "string", default: "10000" },
        faults: { type: "string", default: "200" },
      },
    });
    const number = (name: string, text: string) => {
      if (/^\d{1,7}$/.test(text)) return Number(text);
      throw new Error(`--${name} must be a whole number, not "${text}"`);
    };
    return {
      seeds: values.seed.split(",").map((seed) => number("seed", seed)),
      players: number("players", values.players),
      faults: number("faults", values.faults),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
