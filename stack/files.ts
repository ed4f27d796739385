import { renameSync, writeFileSync } from "node:fs";

/** Replaces a file in one step, readable by its owner alone unless `mode` says otherwise. */
export function writeFileAtomically(path: string, content: string, mode = 0o600): void {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, content, { mode });
  renameSync(unfinished, path);
}
