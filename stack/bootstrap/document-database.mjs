import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { MENDS } from "../ferretdb/mends.mjs";
import { run, SetupError, which } from "./command.mjs";
import { ROOT, TOOLS, toolEnvironment } from "./paths.mjs";

const SOURCE = join(ROOT, "stack/ferretdb");
const MODULE = "github.com/FerretDB/FerretDB";
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
    const go = which("go") ?? "go";
    const env = { ...toolEnvironment(), CGO_ENABLED: "0" };
    const options = { cwd: SOURCE, env, onLine: report };
    const unfinished = `${BINARY}.${process.pid}`;
    const mended = `${unfinished}.mended`;
    const module = JSON.parse(await run("Fetching FerretDB", go, ["mod", "download", "-json", MODULE], options));
    const modfile = mendSources(module.Dir, mended);
    // SQLite's backend is most of FerretDB's build time and is not used here.
    const settings = ["-v", "-trimpath", "-buildvcs=false", "-tags", "ferretdb_no_sqlite", "-modfile", modfile];
    await run("Building FerretDB", go, ["build", ...settings, "-o", unfinished, "."], options);
    renameSync(unfinished, BINARY);
    rmSync(mended, { recursive: true });
    writeFileSync(STAMP, sourceHash());
  });
}

/**
 * Copies FerretDB's sources and mends the copy.
 *
 * @param {string} from the folder of the sources
 * @param {string} to a new folder
 * @returns {string} a go.mod in it that takes the copy in place of the module
 * @throws {SetupError} when what is to be replaced is not there
 */
function mendSources(from, to) {
  const copy = join(to, "sources");
  // Not `cpSync`, which copies the modes too: nothing may be written or removed where Go keeps the sources.
  for (const name of readdirSync(from, { recursive: true, encoding: "utf8" })) {
    const file = join(copy, name);
    mkdirSync(dirname(file), { recursive: true });
    if (statSync(join(from, name)).isFile()) writeFileSync(file, readFileSync(join(from, name)));
  }
  for (const mend of MENDS) {
    const file = join(copy, mend.file);
    const parts = readFileSync(file, "utf8").split(mend.from);
    if (parts.length !== 2) throw new SetupError(`FerretDB's ${mend.file} has not once: ${mend.from}`);
    writeFileSync(file, parts.join(mend.to));
  }
  const modfile = join(to, "go.mod");
  writeFileSync(modfile, `${readFileSync(join(SOURCE, "go.mod"), "utf8")}\nreplace ${MODULE} => ${copy}\n`);
  copyFileSync(join(SOURCE, "go.sum"), join(to, "go.sum"));
  return modfile;
}

function sourceHash() {
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.mod", "go.sum", "mends.mjs"]) hash.update(readFileSync(join(SOURCE, file)));
  return hash.digest("hex");
}
