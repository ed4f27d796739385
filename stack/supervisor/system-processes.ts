import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { processIdentity } from "../bootstrap/process-lock.mjs";

/** A process of ours as it is remembered: enough to find it, or what it left behind, after our own death. */
export interface ProcessRecord {
  name: string;
  pid: number | null;
  /** See `processIdentity`; a later process with the same pid has another one. */
  identity: string | null;
  /** The program that runs, with symbolic links resolved. */
  executable: string;
  /** Its working directory, which no other process shares. */
  cwd: string;
}

/**
 * Finds the living processes of these records and everything they started. A recorded pid counts only if it is still
 * the same process. Children whose parent is gone are known by program and working directory together (Linux only).
 *
 * @returns their pids, without this process
 */
export function findProcesses(records: readonly ProcessRecord[]): number[] {
  const recorded = records.filter(({ pid, identity }) => pid !== null && processIdentity(pid) === identity);
  const found = new Set(recorded.map(({ pid }) => pid as number));
  const places = new Set(records.map(({ executable, cwd }) => `${executable}\n${cwd}`));
  const all = listProcesses();
  for (const { pid } of all) if (places.has(placeOf(pid) ?? "")) found.add(pid);
  addDescendants(found, all);
  found.delete(process.pid);
  return [...found];
}

/**
 * Sends a signal to the leader of a process group, its group and all their descendants, once to each: two signals tell a
 * process to end at once. Those that are gone are passed over.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  const tree = new Set([pid]);
  const all = listProcesses();
  addDescendants(tree, all);
  const outside = all.filter((one) => tree.has(one.pid) && one.group !== pid);
  for (const target of [-pid, ...outside.map((one) => one.pid)]) signalIfAlive(target, signal);
}

/** @returns whether the signal found a process (or, for a negative pid, a process group) */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function addDescendants(pids: Set<number>, all: readonly { pid: number; parent: number }[]): void {
  for (let before = -1; before !== pids.size; ) {
    before = pids.size;
    for (const { pid, parent } of all) if (pids.has(parent)) pids.add(pid);
  }
}

/** Linux's /proc; elsewhere there is none, and only recorded processes and their groups are found. */
function listProcesses(): { pid: number; parent: number; group: number }[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return state === "Z" ? [] : [{ pid, parent: Number(parent), group: Number(group) }];
    } catch {
      return [];
    }
  });
}

function placeOf(pid: number): string | undefined {
  try {
    const executable = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "");
    return `${executable}\n${readlinkSync(`/proc/${pid}/cwd`)}`;
  } catch {
    return undefined;
  }
}
