import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const TAIL_BYTES = 16 * 1024;

/**
 * @param logFile
 * @param fromByte where the interesting part starts, so that a run's last words are not mistaken for another's
 * @returns the last line that is not empty; of a structured log line, its message
 */
export function lastLogLine(logFile: string, fromByte = 0): string {
  const line = tail(logFile, fromByte)
    .split("\n")
    .findLast((text) => text.trim() !== "");
  return line === undefined ? "it wrote nothing to its log" : messageOf(line.trim());
}

function tail(logFile: string, fromByte: number): string {
  const file = openSync(logFile, "r");
  try {
    const { size } = fstatSync(file);
    const start = Math.max(fromByte, size - TAIL_BYTES, 0);
    const buffer = Buffer.alloc(Math.max(size - start, 0));
    readSync(file, buffer, 0, buffer.length, start);
    return buffer.toString("utf8");
  } finally {
    closeSync(file);
  }
}

function messageOf(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter(Boolean).join(": ") || line;
  } catch {
    return line;
  }
}
