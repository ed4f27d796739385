import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { layoutOf } from "../stack/plan/layout.ts";
import { stackDir } from "../stack/plan/options.ts";
import { TOPOLOGY } from "../stack/plan/topology.ts";
import { readProcessTable } from "../stack/supervisor/process-table.ts";

/**
 * What each process takes to be ready and holds while idle: `npm run bench:idle`, with the system running and nothing
 * else going on. Kills one process after the other, as a crash would, so that each starts alone; the stack starts it
 * again. Ready is measured by the process itself, from its exec on; memory is the resident set, as `ps` shows it.
 */
const SETTLE_MS = 10_000;
const RESTART_TIMEOUT_MS = 30_000;

const layout = layoutOf(stackDir(process.env));
const ours = new Set(TOPOLOGY.map(({ name }) => name));
const running = () => readProcessTable(layout.processes).filter(({ role, pid }) => ours.has(role) && pid !== null);

const names = running().map(({ name }) => name);
if (names.length === 0) {
  process.stderr.write("The system does not run here. Start it in another terminal: npm start\n");
  process.exit(1);
}
for (const name of names) await restart(name);
await delay(SETTLE_MS);

process.stdout.write("| process | ready after | idle memory |\n|---|---:|---:|\n");
for (const { name, pid } of running()) {
  const memoryMiB = Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024;
  process.stdout.write(`| ${name} | ${readyMs(name)} ms | ${memoryMiB.toFixed(0)} MiB |\n`);
}

async function restart(name: string): Promise<void> {
  const before = running().find((row) => row.name === name)?.pid;
  if (!before) throw new Error(`${name} does not run`);
  process.kill(before, "SIGKILL");
  const deadline = Date.now() + RESTART_TIMEOUT_MS;
  while (!running().some((row) => row.name === name && row.pid !== before && row.health === "ready")) {
    if (Date.now() > deadline) throw new Error(`${name} is not ready again; see ${layout.logs}/${name}.log`);
    await delay(100);
  }
}

/** @returns what the newest `ready` line in the process's log says */
function readyMs(name: string): number {
  const lines = readFileSync(path.join(layout.logs, `${name}.log`), "utf8").split("\n");
  const ready = lines.findLast((line) => line.includes('"msg":"ready"'));
  return ready === undefined ? Number.NaN : JSON.parse(ready).startMs;
}
