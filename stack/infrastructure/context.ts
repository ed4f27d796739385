import { join } from "node:path";
import { toolEnvironment } from "../bootstrap/paths.mjs";
import type { Layout } from "../plan/layout.ts";
import type { StackState } from "../plan/state.ts";

/** What every server's definition is made from. */
export interface ServerContext {
  layout: Layout;
  state: StackState;
  /** The ports of this start, by process and purpose. */
  ports: Readonly<Record<string, number>>;
}

/** @returns the port chosen for `key`; one that is not there is a defect and throws */
export function portOf(context: Pick<ServerContext, "ports">, key: string): number {
  const port = context.ports[key];
  if (port === undefined) throw new Error(`no port was chosen for ${key}`);
  return port;
}

/** @returns the working directory and the log of a server that needs no other place */
export function placeOf(layout: Layout, name: string): { name: string; cwd: string; logFile: string } {
  return { name, cwd: join(layout.run, name), logFile: join(layout.logs, `${name}.log`) };
}

/** @returns the few variables that every child process gets, and nothing else of ours */
export function baseEnvironment(): Record<string, string> {
  const { PATH = "", HOME = "" } = toolEnvironment();
  return { PATH, HOME, TZ: "UTC", LC_ALL: "C.UTF-8" };
}
