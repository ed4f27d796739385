import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { layoutOf } from "../stack/layout.ts";
import { stackDir } from "../stack/options.ts";
import { readProcessTable } from "../stack/supervisor/process-table.ts";
import { TOPOLOGY } from "../stack/topology.ts";

/**
 * What each process of the running system took to be ready and holds while idle: `npm run bench:idle`, some time after
 * `npm start` and before any traffic. Ready is measured by the process itself, from its exec to its first readiness;
 * memory is the resident set as `ps` shows it.
 */
const layout = layoutOf(stackDir(process.env));
const ours = new Set(TOPOLOGY.map(({ name }) => name));
const rows = readProcessTable(layout.processes).filter(({ role, pid }) => ours.has(role) && pid !== null);
if (rows.length === 0) {
  process.stderr.write("The system does not run here. Start it in another terminal: npm start\n");
  process.exit(1);
}

process.stdout.write("| process | ready after | idle memory |\n|---|---:|---:|\n");
for (const { name, pid } of rows) {
  const memoryMiB = Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024;
  process.stdout.write(`| ${name} | ${readyMs(name)} ms | ${memoryMiB.toFixed(0)} MiB |\n`);
}

/** @returns what the newest `ready` line in the process's log says */
function readyMs(name: string): number {
  const lines = readFileSync(path.join(layout.logs, `${name}.log`), "utf8").split("\n");
  const ready = lines.findLast((line) => line.includes('"msg":"ready"'));
  return ready === undefined ? Number.NaN : JSON.parse(ready).startMs;
}
