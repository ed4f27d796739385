import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "@hono/node-server";
import type { HttpApp } from "./app.ts";

/** Milliseconds that new requests are still accepted while draining: time for the proxy to move on. */
const LINGER_MS = 500;

/**
 * Serves an app on a port.
 *
 * @returns `drain`: every answer from then on closes its connection, so that the proxy sends the next request
 * elsewhere; after a moment the port is closed, and it resolves when the last request has been answered
 */
export async function serveHttp(
  app: HttpApp,
  options: { host: string; port: number },
): Promise<{ drain: () => Promise<void> }> {
  let draining = false;
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = serve({ fetch: app.fetch, hostname: options.host, port: options.port }, () =>
      resolve(listening as Server),
    );
    listening.once("error", reject);
  });
  server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) => {
    if (draining) response.shouldKeepAlive = false;
  });
  // Longer than the proxy's keep-alive, so that it is always the proxy that closes an idle connection.
  server.keepAliveTimeout = 75_000;
  server.requestTimeout = 30_000;
  return {
    async drain() {
      draining = true;
      await delay(LINGER_MS);
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
