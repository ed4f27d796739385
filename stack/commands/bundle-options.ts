import { join } from "node:path";
import type { BuildOptions } from "esbuild";
import { ROOT } from "../plan/layout.ts";

/** What esbuild leaves to Node.js: packages that load a native binary from their own folder. */
const NATIVE_PACKAGES = ["uWebSockets.js", "@node-rs/argon2"];

export const DIST = join(ROOT, "dist");

/** How every process is bundled: into `dist/`, at the same path as its source. */
export const BUNDLE_OPTIONS = {
  absWorkingDir: ROOT,
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
  // CommonJS packages call require(), which a module does not have.
  banner: {
    js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
  },
  legalComments: "none",
  logLevel: "warning",
} satisfies BuildOptions;
