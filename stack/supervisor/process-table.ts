import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { processIdentity } from "../bootstrap/process-lock.mjs";
import { writeFileAtomically } from "../files.ts";
import type { ManagedProcess } from "./managed-process.ts";
import type { ProcessStatus } from "./process-spec.ts";
import { findProcesses, type ProcessRecord, signalIfAlive } from "./system-processes.ts";

/** Longest time in milliseconds that leftovers may take to end by themselves before they are killed. */
const LEFTOVER_GRACE_MS = 5_000;

/** One line of the table on disk: what is needed to show a process, and to find it after the supervisor's death. */
export interface ProcessTableRow extends ProcessRecord, ProcessStatus {
  /** Milliseconds since the epoch; null while it does not run. */
  startedAt: number | null;
}

/** Writes the table of running processes, for `npm run status` and for the next start. */
export function writeProcessTable(path: string, processes: readonly ManagedProcess[]): void {
  writeFileAtomically(path, `${JSON.stringify(processes.map(rowOf), null, 2)}\n`);
}

/** @returns the table that the last supervisor wrote; empty when there is none */
export function readProcessTable(path: string): ProcessTableRow[] {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as ProcessTableRow[]) : [];
}

/**
 * Ends what a supervisor that was killed left running: first by SIGTERM, then by SIGKILL.
 *
 * @returns how many processes there were
 */
export async function endLeftovers(records: readonly ProcessRecord[]): Promise<number> {
  const leftovers = findProcesses(records);
  for (const pid of leftovers) signalIfAlive(pid, "SIGCONT");
  for (const pid of leftovers) signalIfAlive(pid, "SIGTERM");
  const deadline = Date.now() + LEFTOVER_GRACE_MS;
  while (findProcesses(records).length > 0) {
    if (Date.now() > deadline) for (const pid of findProcesses(records)) signalIfAlive(pid, "SIGKILL");
    await delay(50);
  }
  return leftovers.length;
}

function rowOf(managed: ManagedProcess): ProcessTableRow {
  const status = managed.status();
  return {
    ...status,
    identity: status.pid === null ? null : (processIdentity(status.pid) ?? null),
    ...managed.place,
    startedAt: managed.startedAt,
  };
}
