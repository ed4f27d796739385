import { connect, createServer, type Socket } from "node:net";

export interface FreezableProxy {
  port: number;
  /** From now on nothing gets through, in either direction: as with a frozen server, new connections are taken. */
  freeze(): void;
  /** What was held back goes on, and everything after it. */
  thaw(): void;
  /** The connections that stand now are lost, and nobody is told: nothing gets through them any more, new ones are well. */
  lose(): void;
  /** The next connection on which a client sends this text is reset. */
  cutOnceAt(text: string): void;
  close(): void;
}

/**
 * A TCP proxy on a free port, whose network can stand still.
 *
 * @param watch called for each connection; what it returns, with all that the client sends
 */
export async function startFreezableProxy(
  target: { host: string; port: number },
  watch: () => (chunk: Buffer) => void = () => () => {},
): Promise<FreezableProxy> {
  const sockets = new Set<Socket>();
  const lost = new WeakSet<Socket>();
  let isFrozen = false;
  let cutAt: string | undefined;
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    client.on("data", watch());
    client.on("data", (chunk) => {
      if (cutAt === undefined || !chunk.includes(cutAt)) return;
      cutAt = undefined;
      client.resetAndDestroy();
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isFrozen) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      isFrozen = false;
      for (const socket of sockets) if (!lost.has(socket)) socket.resume();
    },
    lose() {
      for (const socket of sockets) {
        socket.pause();
        lost.add(socket);
      }
    },
    cutOnceAt(text) {
      cutAt = text;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
