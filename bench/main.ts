/** `npm run bench`: measures the system beside what bounds it. See CONTRIBUTING.md, "Benchmarks". */
import { parseArgs } from "node:util";
import { cappedClaimBench, claimBench, hotClaimBench } from "./benches/claim.ts";
import { listBench } from "./benches/list.ts";
import { loginBench, registerBench } from "./benches/passwords.ts";
import { pushBench } from "./benches/push.ts";
import { startBench } from "./benches/start.ts";
import type { Bench } from "./harness/bench.ts";
import { report } from "./harness/report.ts";
import { startBare, startSystem } from "./harness/system.ts";

const BENCHES: readonly Bench[] = [
  claimBench,
  hotClaimBench,
  cappedClaimBench,
  listBench,
  loginBench,
  registerBench,
  pushBench,
  startBench,
];

const USAGE = `Usage: npm run bench -- [name…] [--pairs N] [--requests N]

  ${BENCHES.map(({ name, title }) => `${name.padEnd(10)} ${title}`).join("\n  ")}

  --pairs N      how often each side is measured, in turn (5)
  --requests N   of one measurement (1500)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: "string", default: "5" }, requests: { type: "string", default: "1500" } },
});
const chosen = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const settings = { pairs: Number(values.pairs), requests: Number(values.requests) };
const isWrong = positionals.some((name) => !BENCHES.some((bench) => bench.name === name));
if (isWrong || !(settings.pairs >= 1) || !(settings.requests >= 1)) {
  process.stderr.write(USAGE);
  process.exit(64);
}

const interrupted = new AbortController();
const stops: (() => Promise<void>)[] = [];
const stopAll = async () => {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupted.abort(new Error("interrupted"));
    // A start gives up by itself.
    if (stops.length > 0) void stopAll().finally(() => process.exit(1));
  });
}
try {
  const system = await startSystem(interrupted.signal);
  stops.push(system.close);
  const bare = await startBare(system);
  stops.push(bare.close);
  for (const bench of chosen) report(bench, await bench.run({ system, bare, ...settings }), settings);
} finally {
  await stopAll();
}
