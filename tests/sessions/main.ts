/**
 * `npm run test:sessions`: 10,000 sessions go through random lives while Redis changes hands (`interleavings.ts`). It fails when one
 * promise was broken. `--sessions N`, `--seed N`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import getPort from "get-port";
import { connectDatabase } from "../../lib/postgres.ts";
import { startStack } from "../../stack/index.ts";
import { runInterleavings } from "./interleavings.ts";

const PROGRESS_EVERY = 1_000;

const { values } = parseArgs({
  options: { sessions: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
const [sessions, seed] = [Number(values.sessions), Number(values.seed)];
if (!Number.isSafeInteger(sessions) || !Number.isSafeInteger(seed)) {
  console.error("Usage: npm run test:sessions -- [--sessions 10000] [--seed 1]");
  process.exit(2);
}

const dir = mkdtempSync(path.join(tmpdir(), "casino-sessions-"));
const stack = await startStack({ dir, port: await getPort() });
const database = connectDatabase({ url: stack.endpoints.usersDatabaseUrl, name: "test" });
const startedAt = performance.now();
let isExact = false;
try {
  const { violations, ...seen } = await runInterleavings({ db: database.db, seed, sessions }, (so) => {
    if (so.sessions % PROGRESS_EVERY === 0) console.log(`${so.sessions} sessions, ${so.violations.length} violations`);
  });
  console.log(`${JSON.stringify({ seed, ...seen })} in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
  for (const violation of violations) console.error(`✖ ${violation}`);
  console.log(`${violations.length} violations`);
  isExact = violations.length === 0;
} finally {
  await database.close();
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(isExact ? 0 : 1);
