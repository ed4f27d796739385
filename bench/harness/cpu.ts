import { readdirSync, readFileSync } from "node:fs";
import { median } from "./pairs.ts";

/** Of /proc/<pid>/stat (proc(5)): clock ticks per second, which Linux fixes for user space. */
const TICKS_PER_SECOND = 100;

/** Milliseconds for one operation: below what an idle process takes meanwhile. */
const NEGLIGIBLE_MS = 0.02;

interface Stat {
  pid: number;
  parent: number;
  /** Of the process and of its children that have ended. */
  ticks: number;
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number);
    const ticks = (user ?? 0) + (system ?? 0) + (endedUser ?? 0) + (endedSystem ?? 0);
    return { pid, parent: Number(fields[1]), ticks };
  } catch {
    return undefined; // it has ended
  }
}

/**
 * @param roots processes of which the CPU is asked for
 * @returns what `work` returned, and the milliseconds of CPU that it took for each of `count` operations, by process; those
 * that took next to none are left out
 */
export async function measuringCpu<T>(
  roots: Readonly<Record<string, number>>,
  count: number,
  work: () => Promise<T>,
): Promise<{ result: T; cpuMs: Record<string, number> }> {
  const before = cpuMsOf(roots);
  const result = await work();
  const after = cpuMsOf(roots);
  const each = Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / count] as const);
  return { result, cpuMs: Object.fromEntries(each.filter(([, ms]) => ms >= NEGLIGIBLE_MS)) };
}

/** @returns of several measurements the middle one of each process */
export function middleOf(runs: readonly Record<string, number>[]): Record<string, number> {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))];
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name] ?? 0))]));
}

/**
 * @param roots processes, such as PostgreSQL's first one
 * @returns the CPU time in milliseconds that each has used with all its children, ended ones included
 */
export function cpuMsOf(roots: Readonly<Record<string, number>>): Record<string, number> {
  const stats = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (readStat(Number(name)) ?? []) : []));
  const children = Map.groupBy(stats, ({ parent }) => parent);
  const ticksOf = (pid: number): number => {
    const own = stats.find((stat) => stat.pid === pid)?.ticks ?? 0;
    return (children.get(pid) ?? []).reduce((sum, child) => sum + ticksOf(child.pid), own);
  };
  return Object.fromEntries(
    Object.entries(roots).map(([name, pid]) => [name, (ticksOf(pid) * 1_000) / TICKS_PER_SECOND]),
  );
}
