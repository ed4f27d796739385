import { parseArgs } from "node:util";
import { StackError } from "../errors.ts";
import { layoutOf } from "../plan/layout.ts";
import { parseStartOptions, type StartOptions, stackDir } from "../plan/options.ts";
import { type Stack, stackRunner, startStack } from "../stack.ts";
import { readProcessTable } from "../supervisor/process-table.ts";
import type { DeathNotice } from "../supervisor/supervisor.ts";
import { StartView } from "../view/start-view.ts";
import { formatStatus, statusRows } from "../view/status-view.ts";
import { resetStack } from "./reset.ts";

/** The exit code of `npm run status` when nothing runs, as of `systemctl status`. */
const EXIT_CODE_NOT_RUNNING = 3;

/** npm and the terminal may both pass one Ctrl-C on; only a later one means "at once". */
const SECOND_SIGNAL_AFTER_MS = 1_000;

const STEP_LABELS: Readonly<Record<string, string>> = {
  postgres: "PostgreSQL",
  redis: "Redis",
  kafka: "Kafka",
  mongodb: "Document database",
  mail: "Mail server",
};

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { start, status, reset };

const [name = "", ...args] = process.argv.slice(2);
try {
  const command = COMMANDS[name];
  if (!command) throw new StackError(`Usage: node stack/commands/main.ts ${Object.keys(COMMANDS).join(" | ")}`);
  process.exitCode = await command(args);
} catch (error) {
  if (!(error instanceof StackError)) throw error;
  console.error(`\n✖ ${error.message}`);
  process.exitCode = 1;
}
// Clients of the servers may hold timers; nothing is left to do.
process.exit();

async function start(args: string[]): Promise<number> {
  const options = parseStartOptions(args, process.env);
  const stop = stopSignal();
  const view = new StartView((step) => stepLabel(step, options));
  const begun = Date.now();
  try {
    const starting = startStack({ ...options, onStep: (event) => view.onStep(event), onDeath, signal: stop.signal });
    const stack = await starting.finally(() => view.close());
    console.log(readyText(stack, Date.now() - begun));
    await stop.received;
    console.log("\nStopping …");
    await stack.stop();
    console.log("Stopped. The data stay in the folder; npm start goes on with them.");
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.log("Stopped before everything was ready.");
    return 130;
  }
}

async function status(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { json: { type: "boolean", default: false } } });
  const dir = stackDir(process.env);
  const runner = stackRunner(dir);
  const rows = runner === undefined ? [] : statusRows(readProcessTable(layoutOf(dir).processes), Date.now());
  if (values.json) console.log(JSON.stringify(rows, null, 2));
  else if (runner === undefined) console.log(`Nothing runs in ${dir}. Start it: npm start`);
  else console.log(formatStatus(rows));
  return runner === undefined ? EXIT_CODE_NOT_RUNNING : 0;
}

async function reset(): Promise<number> {
  const dir = stackDir(process.env);
  console.log((await resetStack(dir)) ? `Deleted ${dir}` : `There is nothing in ${dir}`);
  return 0;
}

/** Ctrl-C, SIGTERM or a closed terminal stop the stack; a second Ctrl-C does not wait for anything. */
function stopSignal(): { signal: AbortSignal; received: Promise<void> } {
  const controller = new AbortController();
  const received = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let firstAt: number | undefined;
  const onSignal = () => {
    if (firstAt !== undefined && Date.now() - firstAt > SECOND_SIGNAL_AFTER_MS) process.exit(1);
    firstAt ??= Date.now();
    controller.abort(new Error("stopped by a signal"));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return { signal: controller.signal, received };
}

function onDeath({ name, how, retryMs }: DeathNotice): void {
  const time = new Date().toTimeString().slice(0, 8);
  console.error(`${time}  ${name} ${how}; starts again in ${(retryMs / 1000).toFixed(1)} s`);
}

function stepLabel(step: string, { brokers }: StartOptions): string {
  const label = STEP_LABELS[step] ?? step;
  return step === "kafka" && brokers > 1 ? `${label} × ${brokers}` : label;
}

function readyText({ url, dir, admin }: Stack, elapsedMs: number): string {
  return `
Ready: ${url}  (${(elapsedMs / 1000).toFixed(1)} s)

  Users          ${url}/users/api-docs
  Promotions     ${url}/promotions/api-docs
  Notifications  ${url}/notifications/api-docs

  Admin          ${admin.email}
  Password       ${admin.password}

  Logs and data  ${dir}
  Mails          ${layoutOf(dir).mails}
  See it         npm run status
  Try it         npm run demo
  Stop it        Ctrl-C
`;
}
