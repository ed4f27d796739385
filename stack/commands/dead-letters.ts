/** `npm run dlt`: the job dead-letters, with the brokers of the system that runs here where none are named. */
import { layoutOf } from "../plan/layout.ts";
import { stackDir } from "../plan/options.ts";
import { HOST } from "../plan/ports.ts";
import { stackRunner } from "../stack.ts";
import { readProcessTable } from "../supervisor/process-table.ts";

/** @returns the addresses of the running brokers; none if nothing runs */
function findBrokers(): string[] {
  const dir = stackDir(process.env);
  if (stackRunner(dir) === undefined) return [];
  const nodes = readProcessTable(layoutOf(dir).processes).filter(({ role, port }) => role === "kafka" && port !== null);
  return nodes.map(({ port }) => `${HOST}:${port}`);
}

if (!process.env.KAFKA_BROKERS && !process.env.KAFKA_BROKERS_FILE) {
  const brokers = findBrokers();
  if (brokers.length > 0) process.env.KAFKA_BROKERS = brokers.join(",");
  else process.stderr.write("The system does not run here (npm start), and KAFKA_BROKERS is not set.\n");
}
await import("../../jobs/dead-letters/main.ts");
