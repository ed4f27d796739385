import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { layoutOf } from "../../stack/plan/layout.ts";
import { TOPOLOGY } from "../../stack/plan/topology.ts";
import { until } from "../../tests/support/until.ts";
import type { Bench, BenchContext } from "../harness/bench.ts";
import type { Comparison } from "../harness/pairs.ts";

/** Until garbage of the start is collected and nothing of it goes on. */
const SETTLE_MS = 10_000;
const READY_TIMEOUT_MS = 30_000;
const EMPTY_SERVER = "require('node:http').createServer().listen(0, () => console.log(Math.round(performance.now())))";

const names = TOPOLOGY.filter(({ tier }) => tier !== "job").map(({ name }) => `${name}-1`);

const memoryMiB = (pid: number) => {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4096) / 2 ** 20;
};

/** Kills it as a crash would, so that it starts alone. @returns how long its next life took to be ready, by its own clock */
async function restart({ system }: BenchContext, name: string): Promise<number> {
  const log = path.join(layoutOf(system.stack.dir).logs, `${name}.log`);
  const readies = () => readFileSync(log, "utf8").match(/^.*"msg":"ready".*$/gm) ?? [];
  const before = readies().length;
  system.stack.kill(name, "SIGKILL");
  const line = await until(`${name} is ready again`, () => readies().at(before), { timeoutMs: READY_TIMEOUT_MS });
  return JSON.parse(line).startMs;
}

async function startEmptyServer(): Promise<{ readyMs: number; memoryMiB: number }> {
  const child = spawn(process.execPath, ["-e", EMPTY_SERVER], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  await delay(SETTLE_MS);
  const memory = memoryMiB(child.pid as number);
  child.kill();
  return { readyMs: Number(line), memoryMiB: memory };
}

export const startBench: Bench = {
  name: "start",
  title: "From exec to ready, each process alone, and its memory while idle",
  async run(context) {
    const empty = [];
    for (let run = 0; run < context.pairs; run++) empty.push(await startEmptyServer());
    const comparisons: Comparison[] = [];
    for (const name of names) {
      const ready: number[] = [];
      for (let run = 0; run < context.pairs; run++) ready.push(await restart(context, name));
      comparisons.push({
        what: `${name}: ready after, ms`,
        beside: "node with an empty HTTP server",
        ours: ready,
        theirs: empty.map(({ readyMs }) => readyMs),
        goal: { atMost: 6 },
      });
    }
    await delay(SETTLE_MS);
    const pids = context.system.pids();
    for (const name of names) {
      comparisons.push({
        what: `${name}: memory while idle, MiB`,
        beside: "100 MB",
        ours: [memoryMiB(pids[name] as number)],
        theirs: [100],
        goal: { atMost: 1 },
      });
    }
    const bareMemory = empty.map((one) => one.memoryMiB.toFixed(0)).join(", ");
    return { comparisons, notes: [`The empty server held ${bareMemory} MiB.`] };
  },
};
