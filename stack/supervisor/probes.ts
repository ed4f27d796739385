import { connect } from "node:net";
import { HOST } from "../plan/ports.ts";

/**
 * Asks an internal port whether its process is ready (`/readyz`), or whether it is alive (`/livez`).
 *
 * @throws Error with what the process says is missing
 */
export async function probeHealth(
  internalPort: number,
  path: "/readyz" | "/livez",
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`http://${HOST}:${internalPort}${path}`, { signal });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${path} answers ${response.status}: ${body.trim().slice(0, 300)}`);
}

/**
 * Sends bytes to a TCP port and waits until the answer is whole.
 *
 * @param isWhole whether what came so far is a whole answer
 * @returns the answer
 */
export function exchange(
  port: number,
  request: Uint8Array | string,
  isWhole: (answer: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: HOST, signal });
    let answer = Buffer.alloc(0);
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (isWhole(answer)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () =>
      isWhole(answer) ? resolve(answer) : reject(new Error(`port ${port} closed the connection`)),
    );
  });
}
