import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import path from "node:path";
import { ROOT } from "../../stack/plan/layout.ts";
import type { Bench, Outcome } from "./bench.ts";
import { type Comparison, isReached, median, ratioOf } from "./pairs.ts";

const RESULTS = path.join(ROOT, "bench/results");

const figure = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const goalOf = ({ goal }: Comparison) => ("atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`);

/** @returns a table of comparisons, in Markdown */
export function toTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map((one) => {
    const { median: middle, min, max } = ratioOf(one);
    const ratio = `${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
    const reached = isReached(one) ? "yes" : "no";
    return [one.what, figure(median(one.ours)), figure(median(one.theirs)), ratio, goalOf(one), reached, one.beside];
  });
  const head = ["what", "ours", "beside it", "ratio", "goal", "reached", "beside it stands"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @returns a chart of the ratios of each pair, with the goal as a line, as SVG */
export function toChart(title: string, comparisons: readonly Comparison[]): string {
  const [left, width, rowHeight, top] = [300, 420, 26, 40];
  const goals = comparisons.map(({ goal }) => ("atLeast" in goal ? goal.atLeast : goal.atMost));
  const greatest = Math.max(...comparisons.map((one) => ratioOf(one).max), ...goals) * 1.05;
  const x = (ratio: number) => (left + (ratio / greatest) * width).toFixed(1);
  const rows = comparisons.map((one, row) => {
    const y = top + row * rowHeight;
    const dots = one.ours.map((value, pair) => {
      const ratio = value / (one.theirs[pair] ?? Number.NaN);
      return `<circle cx="${x(ratio)}" cy="${y + 9}" r="4" fill="${isReached(one) ? "#2a7" : "#c52"}" fill-opacity="0.6"/>`;
    });
    const goal = x(goals[row] ?? 0);
    return [
      `<text x="${left - 10}" y="${y + 13}" text-anchor="end">${escapeXml(one.what)}</text>`,
      `<line x1="${left}" x2="${left + width}" y1="${y + 9}" y2="${y + 9}" stroke="#ddd"/>`,
      `<line x1="${goal}" x2="${goal}" y1="${y}" y2="${y + 18}" stroke="#000"/>`,
      ...dots,
    ].join("\n");
  });
  const height = top + comparisons.length * rowHeight + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 40}" height="${height}" font-family="sans-serif" font-size="12">
<text x="10" y="20" font-size="14">${escapeXml(title)}: ratio of each pair; the line is the goal</text>
${rows.join("\n")}
<text x="${left}" y="${height - 10}">0</text><text x="${left + width}" y="${height - 10}" text-anchor="end">${greatest.toFixed(2)}</text>
</svg>
`;
}

const escapeXml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Prints what a bench found, and keeps it in `bench/results/<name>.json` and `.svg`. */
export function report({ name, title }: Bench, outcome: Outcome, settings: Record<string, unknown>): void {
  const { comparisons, cpu = [], notes = [] } = outcome;
  const lines = [`\n## ${title} (${name})\n`, toTable(comparisons)];
  for (const { title: what, ours, theirs } of cpu) {
    const list = (table: Record<string, number>) =>
      Object.entries(table)
        .map(([process, ms]) => `${process} ${ms.toFixed(2)}`)
        .join(", ");
    lines.push(`\n${what}: ours ${list(ours)}; beside it ${list(theirs)}`);
  }
  for (const note of notes) lines.push(`\n${note}`);
  console.log(lines.join("\n"));
  mkdirSync(RESULTS, { recursive: true });
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { cwd: ROOT, encoding: "utf8" }).trim();
  const machine = { processors: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) };
  const result = {
    name,
    title,
    commit,
    machine,
    node: process.version,
    settings,
    ratios: comparisons.map((one) => ({ what: one.what, ...ratioOf(one), goal: one.goal, reached: isReached(one) })),
    ...outcome,
  };
  writeFileSync(path.join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(path.join(RESULTS, `${name}.svg`), toChart(title, comparisons));
}
