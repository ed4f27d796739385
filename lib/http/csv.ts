import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { accepts } from "hono/accepts";

/** Of a route that answers CSV; beside JSON or alone. */
export const csvContent = { "text/csv": { schema: z.string() } };

/** What a cell may hold; null is an empty one. */
export type CsvCell = string | number | null;

/** What a spreadsheet takes for the begin of a formula, in its wide forms too, and what it passes over before one. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * One line of CSV (RFC 4180), its end included. A text that a spreadsheet would take for a formula gets an apostrophe before it, as
 * OWASP advises ("CSV Injection"); a number never does.
 */
export function toCsvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(toCell).join(",")}\r\n`;
}

/** @returns a whole document: the header's line and one for each row */
export function toCsv(header: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [header, ...rows].map(toCsvLine).join("");
}

function toCell(value: CsvCell): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @returns whether the client asks for CSV, before JSON; who accepts anything gets JSON */
export function wantsCsv(c: Context): boolean {
  const supports = ["application/json", "text/csv"];
  return accepts(c, { header: "Accept", supports, default: "application/json" }) === "text/csv";
}

/** @returns the headers of an answer in CSV, which browsers keep as a file of this name */
export const csvHeaders = (fileName: string) => ({
  "content-type": "text/csv; charset=utf-8; header=present",
  "content-disposition": `attachment; filename="${fileName}"`,
});
