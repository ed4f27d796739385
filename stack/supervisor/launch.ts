import { spawn } from "node:child_process";
import { closeSync, fchmodSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { makePrivateFolder } from "../files.ts";
import type { Command } from "./process-spec.ts";

/** A log that is larger than this when its process is started by `npm start` is put aside as `<name>.log.1`. */
const LOG_BYTES_MAX = 20 * 1024 * 1024;

/** How a process ended. */
export interface Exit {
  code?: number | undefined;
  signal?: NodeJS.Signals | undefined;
  /** Why it could not be started at all, if so. */
  startError?: string;
}

/** A process that was started. */
export interface Launched {
  /** Undefined when it could not be started. */
  pid: number | undefined;
  exited: Promise<Exit>;
}

/**
 * Starts a process as the leader of its own process group, so that Ctrl-C in the terminal does not reach it. Its output
 * goes straight to its log file: through a pipe, it would die of SIGPIPE with this process (so this is not execa).
 */
export function launch({ command, args, env, cwd, logFile, user }: Command): Launched {
  mkdirSync(cwd, { recursive: true });
  const log = openLog(logFile);
  try {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", log, log], detached: true, ...user });
    const exited = new Promise<Exit>((resolve) => {
      child.once("error", (error) => resolve({ startError: error.message }));
      child.once("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    return { pid: child.pid, exited };
  } finally {
    closeSync(log);
  }
}

/**
 * Opens a log to write at its end. Only its owner may read it, and enter its folder; one of an earlier version is made so.
 *
 * @returns the file's descriptor
 */
export function openLog(logFile: string): number {
  makePrivateFolder(dirname(logFile));
  const log = openSync(logFile, "a", 0o600);
  fchmodSync(log, 0o600);
  return log;
}

/** Puts a log aside that has grown too large; the one before it is dropped. */
export function rotateLog(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
}

/** @returns how the process ended, in words */
export function describeExit({ code, signal, startError }: Exit): string {
  if (startError) return `could not be started: ${startError}`;
  return signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
}
