import type { InvariantReport } from "./report.ts";

const HEADER = ["invariant", "checked", "violations", "ms", ""];

/** @returns a table of all invariants, then what is not exact, with its ids */
export function formatReports(reports: readonly InvariantReport[]): string {
  const rows = reports.map(({ name, checked, violations, durationMs, note = "" }) => {
    return [name, grouped(checked), grouped(violations), grouped(durationMs), note];
  });
  const widths = HEADER.map((_, column) => Math.max(...[HEADER, ...rows].map((row) => row[column]?.length ?? 0)));
  const table = [HEADER, ...rows].map((row) =>
    row
      .map((cell, column) => align(cell, column, widths))
      .join("  ")
      .trimEnd(),
  );
  const found = reports.filter(({ violations }) => violations > 0);
  const total = found.reduce((sum, { violations }) => sum + violations, 0);
  const verdict = total === 0 ? "Everything is exact." : `Not exact: ${count(total)}.`;
  return [...table, ...found.flatMap(listViolations), "", verdict].join("\n");
}

/** Figures to the right, names and notes to the left. */
function align(cell: string, column: number, widths: number[]): string {
  const width = widths[column] ?? 0;
  return column > 0 && column < HEADER.length - 1 ? cell.padStart(width) : cell.padEnd(width);
}

function listViolations({ name, violations, examples }: InvariantReport): string[] {
  const more = violations - examples.length;
  return [
    "",
    `${name}: ${count(violations)}`,
    ...examples.map((example) => `  - ${example}`),
    ...(more > 0 ? [`  … and ${grouped(more)} more`] : []),
  ];
}

const grouped = (value: number) => value.toLocaleString("en");
const count = (violations: number) => `${grouped(violations)} violation${violations === 1 ? "" : "s"}`;
