import { SERVERS, TOPOLOGY } from "../plan/topology.ts";
import type { ProcessTableRow } from "../supervisor/process-table.ts";

/** One process, as `npm run status -- --json` prints it. */
export interface StatusRow {
  name: string;
  role: string;
  pid: number | null;
  port: number | null;
  internalPort: number | null;
  health: string;
  restarts: number;
  uptimeSeconds: number | null;
}

/** The order of the rows; within a role, by name. */
const ROLES: readonly string[] = [...SERVERS, ...TOPOLOGY.map(({ name }) => name)];

/** @returns the rows of the table on disk, as they are shown; `now` in milliseconds since the epoch */
export function statusRows(table: readonly ProcessTableRow[], now: number): StatusRow[] {
  const inOrder = table.toSorted(
    (a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name, "en", { numeric: true }),
  );
  return inOrder.map(({ name, role, pid, port, internalPort, health, restarts, startedAt }) => {
    const uptimeSeconds = startedAt === null ? null : Math.round((now - startedAt) / 1000);
    return { name, role, pid, port, internalPort, health, restarts, uptimeSeconds };
  });
}

/** @returns the rows as a table for people */
export function formatStatus(rows: readonly StatusRow[]): string {
  const header = ["NAME", "PID", "PORT", "INTERNAL", "HEALTH", "RESTARTS", "UPTIME"];
  const cells = rows.map((row) => [
    row.name,
    ...[row.pid, row.port, row.internalPort].map((value) => String(value ?? "-")),
    row.health,
    String(row.restarts),
    row.uptimeSeconds === null ? "-" : formatUptime(row.uptimeSeconds),
  ]);
  const lines = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function formatUptime(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
