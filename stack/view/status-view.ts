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

/** @returns the rows of the table on disk, as they are shown */
export function statusRows(table: readonly ProcessTableRow[], now: number): StatusRow[] {
  return table.map(({ name, role, pid, port, internalPort, health, restarts, startedAt }) => {
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
