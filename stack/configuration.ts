import { globSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { ROOT } from "./plan/layout.ts";

/** The schemas that processes read their environment with are in `config.ts`, beside each `main.ts`. */
const SECTIONS = [
  { title: "Functions, gateway, workers", files: ["{functions,workers}/*/config.ts", "gateway/config.ts"] },
  { title: "Jobs", files: ["jobs/*/config.ts"] },
];
const COLUMNS = ["variable", "processes", "type", "default", "meaning", "secret"] as const;

const INTRODUCTION = `# Configuration

Made by \`npm run run -- npm run generate:configuration\` from the schemas with which processes read their environment; a test
compares the two.

Every process and every job takes its configuration from environment variables, once, when it starts. One that is empty counts as
not set.

- **As a file**: any variable \`X\` may be given as \`X_FILE\`, the path of a file that holds it; white space at its ends does not
  count. \`X_FILE\` goes before \`X\`. Do so for what is secret: other programs may see an environment.
- **What is wrong** is said in one message that names every variable, and the exit code is 78.
- **Without starting anything**: \`node dist/functions/users/main.js --check-config\`, with the environment of the process, says the
  same message and exits with 78, or says that the configuration is right and exits with 0. It opens nothing: it knows whether
  an address is one, not whether a server is there.
`;

type Row = Record<(typeof COLUMNS)[number], string>;

/** @returns the text of docs/configuration.md */
export async function describeConfiguration(): Promise<string> {
  const sections = await Promise.all(
    SECTIONS.map(async ({ title, files }) => `## ${title}\n\n${toTable(await readVariables(files))}\n`),
  );
  return [INTRODUCTION, ...sections].join("\n");
}

/** @returns a row for each variable; those that mean the same in several processes are one */
async function readVariables(patterns: string[]): Promise<Row[]> {
  const files = globSync(patterns, { cwd: ROOT }).sort();
  const rows = new Map<string, Row & { owners: string[] }>();
  for (const file of files) {
    const { config } = (await import(path.join(ROOT, file))) as { config: z.ZodObject };
    const owner = path.basename(path.dirname(file));
    for (const [variable, schema] of Object.entries(config.shape)) {
      const facts = describeVariable(`${file}: ${variable}`, schema);
      const key = JSON.stringify([variable, facts]);
      const row = rows.get(key) ?? { variable: `\`${variable}\``, processes: "", ...facts, owners: [] };
      rows.set(key, row);
      row.owners.push(owner);
      row.processes = row.owners.length === files.length ? "all" : row.owners.map((name) => `\`${name}\``).join(", ");
    }
  }
  return [...rows.values()].sort((a, b) => (a.variable + a.processes < b.variable + b.processes ? -1 : 1));
}

function describeVariable(where: string, schema: z.core.$ZodType) {
  const { description, valueType, isSecret, defaultValue } = factsOf(schema);
  if (description === undefined) throw new Error(`${where} has no description`);
  const isRequired = !z.safeParse(schema, undefined).success;
  return {
    type: valueType ?? "text",
    default: isRequired ? "**required**" : defaultValue ? `\`${defaultValue}\`` : "none",
    meaning: description,
    secret: isSecret ? "yes" : "",
  };
}

/** What is known of a schema, and of those that it is made of. */
function factsOf(schema: z.core.$ZodType): z.core.GlobalMeta & { defaultValue?: unknown } {
  const own = z.globalRegistry.get(schema);
  if (schema instanceof z.ZodDefault) {
    return { ...factsOf(schema.def.innerType), defaultValue: schema.def.defaultValue, ...own };
  }
  if (schema instanceof z.ZodOptional) return { ...factsOf(schema.def.innerType), ...own };
  if (schema instanceof z.ZodEnum) {
    return { valueType: schema.options.map((option) => `\`${option}\``).join(", "), ...own };
  }
  return { ...own };
}

function toTable(rows: Row[]): string {
  const head = Object.fromEntries(COLUMNS.map((column) => [column, column])) as Row;
  const widths = COLUMNS.map((column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const toLine = (cells: string[]) => `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" | ")} |`;
  return [
    toLine([...COLUMNS]),
    toLine(widths.map((width) => "-".repeat(width))),
    ...rows.map((row) => toLine(COLUMNS.map((column) => row[column]))),
  ].join("\n");
}
