import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Parser } from "@asyncapi/parser";
import { execa } from "execa";
import { ROOT } from "./plan/layout.ts";

/** Redocly's recommended rules, with its warnings as errors. */
const CONFIG = { extends: ["recommended-strict"] };

/** Redocly's ignore file: by document and rule, the places where the rule is wrong for us. */
const IGNORED = {
  "promotions.json": {
    // Beside `/promotions/players/{playerId}`. No request fits both: neither `players` nor these are a UUID.
    "no-ambiguous-paths": ["statistics", "assign", "assignments", "approve", "reject"].map(
      (verb) => `#/paths/~1api~1v1~1promotions~1{id}~1${verb}`,
    ),
  },
};

/**
 * Lints OpenAPI documents by Redocly's recommended rules.
 *
 * @param documents by service
 * @returns Redocly's report of what is wrong; empty if nothing is
 */
export async function lintOpenApi(documents: Record<string, unknown>): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "openapi-"));
  try {
    const write = (name: string, content: unknown) =>
      writeFileSync(path.join(folder, name), JSON.stringify(content, null, 2));
    // JSON is YAML.
    write("redocly.yaml", CONFIG);
    write(".redocly.lint-ignore.yaml", IGNORED);
    const files = Object.keys(documents).map((service) => `${service}.json`);
    for (const [service, document] of Object.entries(documents)) write(`${service}.json`, document);
    const { exitCode, all } = await execa("redocly", ["lint", ...files], {
      cwd: folder,
      preferLocal: true,
      localDir: ROOT,
      // It would tell its makers that it ran, and ask whether there is a newer one.
      env: { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
      all: true,
      reject: false,
    });
    return exitCode === 0 ? "" : all || "redocly failed";
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Parses an AsyncAPI document by AsyncAPI's own parser. What it only recommends counts too.
 *
 * @param text YAML
 * @returns what is wrong, one per line; empty if nothing is
 */
export async function lintAsyncApi(text: string): Promise<string> {
  const { diagnostics } = await new Parser().parse(text);
  return diagnostics
    .map(({ range, code, message, path }) => `${range.start.line + 1}: ${code}: ${message} (${path.join(".")})`)
    .join("\n");
}
