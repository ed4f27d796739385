import { readdirSync, readFileSync } from "node:fs";

/** Of /proc/<pid>/stat (proc(5)): clock ticks per second, which Linux fixes for user space. */
const TICKS_PER_SECOND = 100;

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
