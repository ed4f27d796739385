import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";

/** Makes sure that there is a folder which only its owner may enter, whatever it was before. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
}

/** Replaces a file in one step, readable by its owner alone unless `mode` says otherwise. */
export function writeFileAtomically(path: string, content: string, mode = 0o600): void {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, content, { mode });
  renameSync(unfinished, path);
}
