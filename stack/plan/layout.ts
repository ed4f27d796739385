import { join, resolve } from "node:path";

/** The repository's root folder. */
export const ROOT = resolve(import.meta.dirname, "../..");

/** Where the files of one stack lie. */
export interface Layout {
  dir: string;
  state: string;
  lock: string;
  processes: string;
  logs: string;
  secrets: string;
  run: string;
  nginx: string;
  mails: string;
}

/** @returns the files and folders of the stack in `dir` */
export function layoutOf(dir: string): Layout {
  return {
    dir,
    state: join(dir, "state.json"),
    lock: join(dir, "supervisor.lock"),
    processes: join(dir, "processes.json"),
    logs: join(dir, "logs"),
    secrets: join(dir, "secrets"),
    run: join(dir, "run"),
    nginx: join(dir, "nginx"),
    mails: join(dir, "mails"),
  };
}
