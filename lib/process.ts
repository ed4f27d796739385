import type { z } from "zod";
import type { OnCircuitChange } from "./circuit-breaker.ts";
import { type baseConfig, ConfigError, loadConfig } from "./config.ts";
import { Health, serveInternal, watchLoops } from "./health.ts";
import { createLogger, type Logger } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";

/** Longest time in milliseconds that a process may take to drain before it exits anyway. */
const DRAIN_TIMEOUT_MS = 9_000;
/** Signals that come within so many milliseconds are one: a terminal and npm both hand a Ctrl-C on. */
const SAME_SIGNAL_MS = 500;

export interface ProcessContext<Config> {
  config: Config;
  log: Logger;
  metrics: Metrics;
  health: Health;
  /**
   * Registers what is to be done when the process ends; the last registered runs first, each is awaited for the time that
   * is left. What is registered while the process ends already is done then too.
   */
  onStop(name: string, stop: () => unknown): void;
  /** For the clients of dependencies: logs and measures when one stops answering, and when it answers again. */
  onCircuitChange: OnCircuitChange;
  /** Ends the process because it can't go on: drains, exits with 1, and leaves the restart to its supervisor. */
  fail(error: unknown): void;
}

/**
 * The life of every long-running process: parse the configuration, start, serve health and metrics on the internal
 * port, drain on SIGTERM or SIGINT, exit. It exits with 0 when it was told to and all went well, with 78 when its
 * configuration is bad, else with 1. A second signal, at least half a second later, does not wait for anything.
 *
 * @param name the process's name in logs
 * @param schema its configuration; see `lib/config.ts`
 * @param start builds the dependencies and starts the work; when it resolves, the process is ready
 */
export async function runProcess<Schema extends z.ZodObject<typeof baseConfig>>(
  name: string,
  schema: Schema,
  start: (context: ProcessContext<z.output<Schema>>) => Promise<void>,
  { drainTimeoutMs = DRAIN_TIMEOUT_MS } = {},
): Promise<void> {
  const config = readConfig(schema);
  const { HOST: host, INTERNAL_PORT: port, INSTANCE: instance, LOG_LEVEL: level }: BaseConfig = config;
  const log = createLogger({ name, instance, level });
  const metrics = createMetrics();
  const health = new Health();
  const stops: { what: string; stop: () => unknown }[] = [];
  let exitCode = 0;
  let isStopping = false;
  let signalledAt: number | undefined;

  const shutdown = async (reason: string) => {
    if (isStopping) return;
    isStopping = true;
    health.markDraining();
    log.info({ reason }, "draining");
    let current = "";
    setTimeout(() => {
      log.error(
        { timeoutMs: drainTimeoutMs, what: current, notBegun: stops.map(({ what }) => what) },
        "drain timed out",
      );
      process.exit(1);
    }, drainTimeoutMs);
    // Not a loop over a copy: the start may be under way, and registers more.
    for (let next = stops.pop(); next !== undefined; next = stops.pop()) {
      current = next.what;
      try {
        await next.stop();
      } catch (error) {
        exitCode = 1;
        log.error({ err: error, what: current }, "stop failed");
      }
    }
    log.info({ reason, exitCode }, "stopped");
    process.exit(exitCode);
  };
  const fail = (error: unknown) => {
    log.fatal({ err: error }, "failed");
    exitCode = 1;
    void shutdown("failure");
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (signalledAt === undefined) {
      signalledAt = performance.now();
      void shutdown(signal);
    } else if (performance.now() - signalledAt >= SAME_SIGNAL_MS) {
      log.warn({ signal }, "ended at once by a second signal");
      process.exit(1);
    }
  };

  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  try {
    const internal = await serveInternal({ host, port, health, registry: metrics.registry });
    const onStop = (what: string, stop: () => unknown) => stops.push({ what, stop });
    onStop("internal port", () => internal.closeAllConnections());
    const onCircuitChange: OnCircuitChange = (dependency, isOpen) => {
      metrics.circuitOpen.set({ dependency }, isOpen ? 1 : 0);
      if (isOpen) log.error({ dependency }, "circuit opened: no answers");
      else log.info({ dependency }, "circuit closed: it answers again");
    };
    await start({ config, log, metrics, health, onStop, onCircuitChange, fail });
    if (isStopping) return;
    health.markServing();
    onStop("watch of loops", watchLoops(health, fail));
    log.info({ startMs: Math.round(process.uptime() * 1000) }, "ready");
  } catch (error) {
    // What it was building on has been stopped meanwhile.
    if (isStopping) log.info({ err: error }, "start was cut off");
    else fail(error);
  }
}

type BaseConfig = z.output<z.ZodObject<typeof baseConfig>>;

/**
 * Where `--check-config` is an argument of the process: says whether the environment is right, or everything that is wrong
 * with it, and exits with 0 or 78. Nothing is opened. Called by itself only where arguments are read before the rest.
 */
export function answerConfigCheck(schema: z.ZodObject): void {
  if (!process.argv.includes("--check-config")) return;
  parseConfig(schema);
  process.stdout.write("The configuration is right.\n");
  process.exit(0);
}

function readConfig<T extends z.ZodObject>(schema: T): z.output<T> {
  answerConfigCheck(schema);
  return parseConfig(schema);
}

function parseConfig<T extends z.ZodObject>(schema: T): z.output<T> {
  try {
    return loadConfig(schema, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(78); // EX_CONFIG of sysexits.h
  }
}

/**
 * The life of a one-shot job: runs it once; an error is one line on stderr and an exit code.
 *
 * @param schema its configuration
 * @param run the work; what it returns is printed
 * @param failureExitCode of a job that threw
 */
export async function runJob<T extends z.ZodObject>(
  schema: T,
  run: (config: z.output<T>) => Promise<string | { output: string; exitCode: number }>,
  failureExitCode = 1,
): Promise<void> {
  const config = readConfig(schema);
  try {
    const result = await run(config);
    const { output, exitCode } = typeof result === "string" ? { output: result, exitCode: 0 } : result;
    process.stdout.write(`${output}\n`);
    process.exit(exitCode);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(failureExitCode);
  }
}
