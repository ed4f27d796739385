/** Bundles every process into `dist/`, at the same path as its source, and copies the migrations beside. */
import { cpSync, existsSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../plan/layout.ts";
import { BUNDLE_OPTIONS, DIST } from "./bundle-options.ts";

const ENTRY_POINTS = ["functions/*/main.ts", "workers/*/main.ts", "jobs/*/main.ts", "gateway/main.ts"];

rmSync(DIST, { recursive: true, force: true });
await build({ ...BUNDLE_OPTIONS, entryPoints: globSync(ENTRY_POINTS, { cwd: ROOT }).sort() });
for (const file of globSync(["drizzle/**/*.sql", "drizzle/**/meta/*.json"], { cwd: ROOT })) {
  cpSync(join(ROOT, file), join(DIST, file));
}
if (!existsSync(DIST)) throw new Error("there was nothing to bundle");
