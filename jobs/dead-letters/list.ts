import type { Kafka } from "../../lib/kafka/client.ts";
import { formatPlace } from "../../lib/kafka/dead-letter.ts";
import { type DeadLetter, findDeadLetters } from "../../lib/kafka/find-dead-letters.ts";
import { printable } from "./printable.ts";

/** Characters of a reason in the table; `show` has all of it. */
const REASON_LENGTH_MAX = 160;

/** @returns a table of dead letters, or JSON, with nothing in it of what a message says but its event's id and type */
export async function listDeadLetters(
  kafka: Kafka,
  { topics, withSettled, asJson }: { topics: string[]; withSettled: boolean; asJson: boolean },
): Promise<string> {
  const letters: DeadLetter[] = [];
  for (const topic of topics) letters.push(...(await findDeadLetters(kafka, topic)));
  const open = letters.filter(({ settled }) => settled === null);
  const shown = withSettled ? letters : open;
  if (asJson) return JSON.stringify(shown.map((letter) => ({ id: formatPlace(letter), ...letter })));
  const settled = letters.length - open.length;
  const summary = `${open.length} open, ${settled} settled in ${topics.join(", ")}`;
  if (shown.length === 0) return summary;
  const head = [
    "ID",
    "DIED AT",
    "ORIGIN",
    "GROUP",
    "TYPE",
    "EVENT",
    "KEY",
    ...(withSettled ? ["STATE"] : []),
    "REASON",
  ];
  return `${toTable([head, ...shown.map((letter) => toRow(letter, withSettled))])}\n\n${summary}`;
}

function toRow(letter: DeadLetter, withState: boolean): string[] {
  const { time, origin, group, eventType, eventId, key, settled, reason } = letter;
  const state = settled === null ? "open" : `${settled.outcome} ${settled.time}`;
  return [
    formatPlace(letter),
    ...[time, origin, group, eventType ?? "-", eventId ?? "-", key ?? "-"].map((text) => printable(text, 64)),
    ...(withState ? [printable(state, 64)] : []),
    printable(reason, REASON_LENGTH_MAX),
  ];
}

function toTable(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
