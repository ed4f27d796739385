import { statSync } from "node:fs";
import { StackError } from "../errors.ts";
import { describeExit, launch, rotateLog } from "./launch.ts";
import { lastLogLine } from "./log-tail.ts";
import type { Command } from "./process-spec.ts";
import { signalTree } from "./system-processes.ts";

/**
 * Runs a one-shot job to its end.
 *
 * @param signal ends it
 * @throws StackError with the last line it wrote when it fails
 */
export async function runJob(command: Command, signal: AbortSignal): Promise<void> {
  rotateLog(command.logFile);
  const logStart = statSync(command.logFile, { throwIfNoEntry: false })?.size ?? 0;
  const { pid, exited } = launch(command);
  const end = () => pid !== undefined && signalTree(pid, "SIGKILL");
  signal.addEventListener("abort", end, { once: true });
  const exit = await exited;
  signal.removeEventListener("abort", end);
  signal.throwIfAborted();
  if (exit.code === 0) return;
  const lastLine = lastLogLine(command.logFile, logStart);
  throw new StackError(`${command.name} ${describeExit(exit)}: ${lastLine}\n  Its log: ${command.logFile}`);
}
