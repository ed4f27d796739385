import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createLogger, type Logger } from "../../lib/telemetry/log.ts";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

/** A line of a log. */
export interface LogLine {
  msg: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  [field: string]: any;
}

/** A logger as every process has it, and what it has written. */
export function createRecordingLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const stream = { write: (text: string) => void lines.push(JSON.parse(text)) };
  return { log: createLogger({ name: "test", instance: "test", level: "info" }, stream), lines };
}

/** @returns the lines that a process of the stack under test has logged so far */
export async function readLog(name: string): Promise<LogLine[]> {
  const text = await readFile(join(servers.stackDir, "logs", `${name}.log`), "utf8");
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return []; // the one that is being written, or not a line of ours
    }
  });
}

/** Waits until a process logs `msg`, counted from the moment that `since` is taken. */
export async function untilLogged(name: string, msg: string, since: Date): Promise<void> {
  await until(`${name} logs "${msg}"`, async () =>
    (await readLog(name)).some((line) => line.msg === msg && new Date(line.time as string) >= since),
  );
}
