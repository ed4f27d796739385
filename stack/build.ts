/** Bundles every process into `dist/`, at the same path as its source, and copies the migrations beside. */
import { cpSync, existsSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "./layout.ts";

const ENTRY_POINTS = ["functions/*/main.ts", "workers/*/main.ts", "jobs/*/main.ts", "gateway/main.ts"];

/** What esbuild leaves to Node.js: packages that load a native binary from their own folder. */
const NATIVE_PACKAGES = ["uWebSockets.js", "@node-rs/argon2"];

const DIST = join(ROOT, "dist");

// CommonJS packages call require(), which a module does not have.
const banner =
  'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);';

rmSync(DIST, { recursive: true, force: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: globSync(ENTRY_POINTS, { cwd: ROOT }).sort(),
  outdir: DIST,
  outbase: ROOT,
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm",
  // Not the names, so that stack traces stay readable. The source's text is in memory as long as the process runs.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  external: NATIVE_PACKAGES,
  banner: { js: banner },
  legalComments: "none",
  logLevel: "warning",
});
for (const file of globSync(["drizzle/**/*.sql", "drizzle/**/meta/*.json"], { cwd: ROOT })) {
  cpSync(join(ROOT, file), join(DIST, file));
}
if (!existsSync(DIST)) throw new Error("there was nothing to bundle");
