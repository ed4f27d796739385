import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { serve } from "@hono/node-server";
import type { HttpApp } from "./app.ts";

/**
 * Milliseconds that a draining server leaves idle connections open: longer than the proxy does (stack/infrastructure/nginx.ts),
 * so that it is always the proxy that closes them, and no request is on its way into one that is just closing.
 */
const IDLE_GRACE_MS = 3_500;
/** A turn of the event loop that took less than this many milliseconds had nothing to do. */
const QUIET_TURN_MS = 0.2;
/** Milliseconds that are spent on waiting for such a turn. */
const QUIET_WAIT_MAX_MS = 500;

/**
 * Serves an app on a port.
 *
 * @returns `drain`: takes no more connections, so that the proxy goes elsewhere; what comes on those that are open is
 * still answered, and each answer closes its connection. Resolves when all are closed.
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
      await quietTurn();
      // Not http.Server's own `close`, which closes idle connections at once. The proxy sends no POST twice, so one that
      // is on its way into such a connection would fail.
      const closed = new Promise<void>((resolve) => {
        NetServer.prototype.close.call(server, () => resolve());
      });
      const timer = setTimeout(() => server.closeIdleConnections(), IDLE_GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/**
 * Resolves right after a turn of the event loop in which nothing came. To close the port in a busy one would reset the
 * connections that the kernel has accepted and we have not.
 */
async function quietTurn(): Promise<void> {
  const deadline = performance.now() + QUIET_WAIT_MAX_MS;
  let before = performance.now();
  for (;;) {
    await nextTurn();
    const now = performance.now();
    if (now - before < QUIET_TURN_MS || now > deadline) return;
    before = now;
  }
}
