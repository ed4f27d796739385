import { createServer } from "node:net";
import getPort from "get-port";
import { StackError } from "../errors.ts";

/**
 * Where the stack's own ports are chosen. Below the range that systems take for outgoing connections (from 32768 on
 * Linux, 49152 on macOS): a client that retries a port of that range while its server is down may connect to itself,
 * and then the server can't have its port back.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

export const HOST = "127.0.0.1";

/**
 * Chooses a free port for each key; a port that was chosen before is kept while nobody else has it.
 *
 * @param keys what needs a port
 * @param previous the ports of the last start
 * @returns a port by key, and nothing of `previous` that is no longer needed
 */
export async function choosePorts(
  keys: readonly string[],
  previous: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {};
  const taken = new Set(keys.flatMap((key) => previous[key] ?? []));
  for (const key of keys) {
    const kept = previous[key];
    const port =
      kept !== undefined && (await isFree(kept)) ? kept : await getPort({ host: HOST, port: candidates(taken) });
    taken.add(port);
    chosen[key] = port;
  }
  return chosen;
}

/** @throws StackError when somebody else listens on the public port */
export async function requirePublicPort(port: number): Promise<void> {
  if (await isFree(port)) return;
  throw new StackError(`Port ${port} is in use by another program. Choose another one: PORT=${port + 1} npm start`);
}

function* candidates(taken: ReadonlySet<number>): Iterable<number> {
  const count = PORT_MAX - PORT_MIN;
  const first = Math.floor(Math.random() * count);
  for (let i = 0; i < count; i++) {
    const port = PORT_MIN + ((first + i) % count);
    if (!taken.has(port)) yield port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}
