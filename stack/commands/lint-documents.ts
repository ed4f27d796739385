/** `npm run verify:documents`: holds the documents that clients are written against to rules that are not ours. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Parser } from "@asyncapi/parser";
import { createConfig, lintFromString, type RawUniversalConfig } from "@redocly/openapi-core";
import { openApiDocuments } from "../../functions/documents.ts";
import { ROOT } from "../plan/layout.ts";

/** Redocly's recommended rules (redocly.com/docs/cli/rules), but for what does not fit. */
const RULES: RawUniversalConfig = {
  extends: ["recommended"],
  rules: {
    // `/promotions/players/{playerId}` and `/promotions/{id}/assign` could only meet at an id that is no UUID.
    "no-ambiguous-paths": "off",
  },
};

/** @returns a line for each fault */
async function lintOpenApi(service: string, document: unknown): Promise<string[]> {
  const config = await createConfig(RULES);
  const problems = await lintFromString({ source: JSON.stringify(document), absoluteRef: `${service}.json`, config });
  return problems.map(({ ruleId, message, location }) => {
    return `${service}/openapi.json${location[0]?.pointer ?? ""}: ${message} (${ruleId})`;
  });
}

/** @returns a line for each fault */
async function parseAsyncApi(file: string): Promise<string[]> {
  const { diagnostics } = await new Parser().parse(readFileSync(path.join(ROOT, file), "utf8"));
  return diagnostics.map(({ code, message, range }) => `${file}:${range.start.line + 1}: ${message} (${code})`);
}

const documents = Object.entries(await openApiDocuments());
const faults = await Promise.all([
  ...documents.map(([service, document]) => lintOpenApi(service, document)),
  parseAsyncApi("docs/asyncapi.yaml"),
]);
for (const fault of faults.flat()) console.error(fault);
process.exitCode = faults.flat().length === 0 ? 0 : 1;
