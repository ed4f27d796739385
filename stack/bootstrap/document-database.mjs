import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, which } from "./command.mjs";
import { ROOT, TOOLS, toolEnvironment } from "./paths.mjs";

const SOURCE = join(ROOT, "stack/ferretdb");
const BINARY = join(TOOLS, "ferretdb");
const STAMP = join(TOOLS, "ferretdb.built-from");

/** @returns {boolean} whether there is a MongoDB, or a FerretDB built from the present sources */
export function hasDocumentDatabase() {
  if (process.env.MONGODB_URL || which("mongod")) return true;
  try {
    return readFileSync(STAMP, "utf8") === sourceHash();
  } catch {
    return false;
  }
}

/** @returns {string[]} what to do when FerretDB has to be built and can't be; empty otherwise */
export function documentDatabaseAdvice() {
  if (hasDocumentDatabase() || which("go")) return [];
  return [
    "Neither MongoDB nor Go (1.21 or newer, to build FerretDB in its place) is there. Debian: apt-get install -t " +
      "bookworm-backports golang-go. macOS: brew install go. Or set MONGODB_URL to a MongoDB of yours",
  ];
}

/**
 * Builds FerretDB, which serves MongoDB's protocol from PostgreSQL.
 *
 * @param {import("./progress.mjs").Progress} progress
 */
export async function buildFerretdb(progress) {
  await progress.step("FerretDB (no mongod here; built with Go, about a minute)", async (report) => {
    mkdirSync(TOOLS, { recursive: true });
    const unfinished = `${BINARY}.${process.pid}`;
    // SQLite's backend is most of FerretDB's build time and is not used here.
    const args = ["build", "-v", "-trimpath", "-buildvcs=false", "-tags", "ferretdb_no_sqlite", "-o", unfinished, "."];
    const env = { ...toolEnvironment(), CGO_ENABLED: "0" };
    await run("Building FerretDB", which("go") ?? "go", args, { cwd: SOURCE, env, onLine: report });
    renameSync(unfinished, BINARY);
    writeFileSync(STAMP, sourceHash());
  });
}

function sourceHash() {
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCE, file)));
  return hash.digest("hex");
}
