import { join } from "node:path";
import { build } from "esbuild";
import { BUNDLE_OPTIONS, DIST } from "../../../stack/commands/bundle-options.ts";

const bundles = new Map<string, Promise<string>>();

/**
 * Bundles a program of `victims/` as the system's processes are. It starts in a fifth of the time that its sources take,
 * which matters where scores of them die.
 *
 * @returns the bundle's path
 */
export function bundle(program: string): Promise<string> {
  const source = `tests/faults/crash-points/victims/${program}.ts`;
  const made =
    bundles.get(program) ??
    build({ ...BUNDLE_OPTIONS, entryPoints: [source] }).then(() => join(DIST, source.replace(/ts$/, "js")));
  bundles.set(program, made);
  return made;
}
