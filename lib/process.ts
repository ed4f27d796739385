import type { z } from "zod";
import type { OnCircuitChange } from "./circuit-breaker.ts";
import { type baseConfig, ConfigError, loadConfig } from "./config.ts";
import { Health, serveInternal, watchLoops } from "./health.ts";
import { createLogger, type Logger } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";

/** Longest time in milliseconds that a process may take to drain before it exits anyway. */
const DRAIN_TIMEOUT_MS = 9_000;

export interface ProcessContext<Config> {
  config: Config;
  log: Logger;
  metrics: Metrics;
  health: Health;
  /** Registers what is to be done when the process ends; the last registered runs first, each awaited. */
  onStop(name: string, stop: () => unknown): void;
  /** For the clients of dependencies: logs and measures when one stops answering, and when it answers again. */
  onCircuitChange: OnCircuitChange;
  /** Ends the process because it can't go on: drains, exits with 1, and leaves the restart to its supervisor. */
  fail(error: unknown): void;
}

/**
 * The life of every long-running process: parse the configuration, start, serve health and metrics on the internal
 * port, drain on SIGTERM or SIGINT, exit.
 *
 * @param name the process's name in logs
 * @param schema its configuration; see `lib/config.ts`
 * @param start builds the dependencies and starts the work; when it resolves, the process is ready
 */
export async function runProcess<Shape extends typeof baseConfig & z.core.$ZodLooseShape>(
  name: string,
  schema: z.ZodObject<Shape>,
  start: (context: ProcessContext<z.output<z.ZodObject<Shape>>>) => Promise<void>,
): Promise<void> {
  const config = readConfig(schema);
  const base = config as { HOST: string; INTERNAL_PORT: number; INSTANCE: string; LOG_LEVEL: string };
  const log = createLogger({ name, instance: base.INSTANCE, level: base.LOG_LEVEL });
  const metrics = createMetrics();
  const health = new Health();
  const stops: { name: string; stop: () => unknown }[] = [];
  let stopping = false;

  const shutdown = async (reason: string, exitCode: number) => {
    if (stopping) return;
    stopping = true;
    health.markDraining();
    log.info({ reason }, "draining");
    setTimeout(() => {
      log.error({ timeoutMs: DRAIN_TIMEOUT_MS }, "drain timed out");
      process.exit(exitCode || 1);
    }, DRAIN_TIMEOUT_MS).unref();
    for (const { name: what, stop } of stops.reverse()) {
      try {
        await stop();
      } catch (error) {
        log.error({ err: error, what }, "stop failed");
      }
    }
    log.info({ reason }, "stopped");
    process.exit(exitCode);
  };
  const fail = (error: unknown) => {
    log.fatal({ err: error }, "failed");
    void shutdown("failure", 1);
  };

  process.on("SIGTERM", () => void shutdown("SIGTERM", 0));
  process.on("SIGINT", () => void shutdown("SIGINT", 0));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  try {
    const internal = await serveInternal({
      host: base.HOST,
      port: base.INTERNAL_PORT,
      health,
      registry: metrics.registry,
    });
    stops.push({ name: "internal port", stop: () => internal.closeAllConnections() });
    const onStop = (what: string, stop: () => unknown) => stops.push({ name: what, stop });
    const onCircuitChange: OnCircuitChange = (dependency, isOpen) => {
      metrics.circuitOpen.set({ dependency }, isOpen ? 1 : 0);
      if (isOpen) log.error({ dependency }, "circuit opened: no answers");
      else log.info({ dependency }, "circuit closed: it answers again");
    };
    await start({ config, log, metrics, health, onStop, onCircuitChange, fail });
    health.markServing();
    onStop("watch of loops", watchLoops(health, fail));
    log.info({ startMs: Math.round(process.uptime() * 1000) }, "ready");
  } catch (error) {
    fail(error);
  }
}

function readConfig<T extends z.ZodObject>(schema: T): z.output<T> {
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
