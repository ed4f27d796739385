import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { kafkaBrokers } from "../infrastructure/kafka.ts";
import { layoutOf, ROOT } from "../plan/layout.ts";
import { stackDir } from "../plan/options.ts";
import { readState } from "../plan/state.ts";
import { stackRunner } from "../stack.ts";

/** What names a system to check. Not MONGODB_URL, which `npm start` takes too. */
const NAMES_SYSTEM = ["USERS_DATABASE_URL", "PROMOTIONS_DATABASE_URL", "KAFKA_BROKERS"];
/** As the job's own, when it could not check. */
const EXIT_CODE_NOT_CHECKED = 2;

/** @returns where the stack that runs here is, as variables of the job; undefined when none runs */
function findStack(): Record<string, string> | undefined {
  const dir = stackDir(process.env);
  const layout = layoutOf(dir);
  const state = readState(layout);
  if (state === undefined || stackRunner(dir) === undefined) return undefined;
  return {
    USERS_DATABASE_URL_FILE: join(layout.secrets, "users-database-url"),
    PROMOTIONS_DATABASE_URL_FILE: join(layout.secrets, "promotions-database-url"),
    MONGODB_URL_FILE: join(layout.secrets, "mongodb-url"),
    KAFKA_BROKERS: kafkaBrokers({ layout, state, ports: state.ports }).join(","),
  };
}

const isNamed = NAMES_SYSTEM.some((name) => process.env[name] ?? process.env[`${name}_FILE`]);
const system = isNamed ? {} : findStack();
if (system === undefined) {
  process.stderr.write(
    "The system does not run here. Start it in another terminal: npm start\n" +
      "Or name another one: USERS_DATABASE_URL, PROMOTIONS_DATABASE_URL, MONGODB_URL, KAFKA_BROKERS\n",
  );
  process.exit(EXIT_CODE_NOT_CHECKED);
}
const job = join(ROOT, "jobs/check-invariants/main.ts");
const child = spawn(process.execPath, [job], { stdio: "inherit", env: { ...process.env, ...system } });
const [exitCode] = await once(child, "exit");
process.exitCode = exitCode ?? EXIT_CODE_NOT_CHECKED;
