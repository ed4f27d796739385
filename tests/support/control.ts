import { servers } from "./servers.ts";

export interface StackProcess {
  name: string;
  role: string;
  pid: number | null;
  port: number | null;
  internalPort: number | null;
  health: string;
  restarts: number;
}

async function ask(command: string): Promise<StackProcess[]> {
  const response = await fetch(`${servers.controlUrl}/${command}`);
  if (!response.ok) throw new Error(`${command}: ${await response.text()}`);
  return (await response.json()) as StackProcess[];
}

/** What the stack under test runs now. */
export const listProcesses = () => ask("processes");
/** Ends a process in good order; it stays down. */
export const stopProcess = (name: string) => ask(`stop?name=${name}`);
/** Starts a stopped process and waits until it is ready. */
export const startProcess = (name: string) => ask(`start?name=${name}`);
/** Sends a signal; the stack restarts what dies of it. */
export const killProcess = (name: string, signal: NodeJS.Signals = "SIGKILL") =>
  ask(`kill?name=${name}&signal=${signal}`);

/** @returns a metric without labels of the first process of a role */
export async function metricOf(role: string, metric: string): Promise<number> {
  const process = (await listProcesses()).find((process) => process.role === role);
  const text = await (await fetch(`http://127.0.0.1:${process?.internalPort}/metrics`)).text();
  return Number(new RegExp(`^${metric} (\\S+)$`, "m").exec(text)?.[1]);
}
