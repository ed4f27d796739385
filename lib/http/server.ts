import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { getRequestListener, RequestError } from "@hono/node-server";
import { errorCode } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Logger } from "../telemetry/log.ts";
import type { HttpApp } from "./app.ts";
import { BODY_TIMEOUT_MS } from "./body.ts";
import { toProblem } from "./problem.ts";
import { refuse, toMessage, toResponse } from "./refusals.ts";

/** More than nginx takes and adds (four buffers of 8 KiB, and one of 1 KiB), so that it is nginx that refuses. */
const HEADERS_BYTES_MAX = 48 * 1024;
/** Longer than the proxy's keep-alive, so that it is always the proxy that closes an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** As long as nginx gives its clients. */
const HEADERS_TIMEOUT_MS = 10_000;
/** For bodies that the app does not wait for, such as that of a GET; longer than it waits itself. */
const REQUEST_TIMEOUT_MS = BODY_TIMEOUT_MS + 5_000;
const TIMEOUT_CHECK_INTERVAL_MS = 5_000;
/** Milliseconds that a client, such as the proxy, has for reading the last answer and closing first. */
const LINGER_MS = 1_000;
/**
 * Milliseconds that a draining server leaves idle connections open: longer than the proxy does (stack/infrastructure/nginx.ts),
 * so that it is always the proxy that closes them, and no request is on its way into one that is just closing.
 */
const IDLE_GRACE_MS = 3_500;
/** A turn of the event loop that took less than this many milliseconds had nothing to do. */
const QUIET_TURN_MS = 0.2;
/** Milliseconds that are spent on waiting for such a turn. */
const QUIET_WAIT_MAX_MS = 500;

type Exchange = ServerResponse<IncomingMessage>;

/**
 * Serves an app on a port. What Node.js or the adapter refuses by itself is answered with a problem document too.
 *
 * @returns `drain`: takes no more connections, so that the proxy goes elsewhere; what comes on those that are open is
 * still answered, and each answer closes its connection. Resolves when all are closed.
 */
export async function serveHttp(
  app: HttpApp,
  options: { host: string; port: number; log: Logger },
): Promise<{ drain: () => Promise<void> }> {
  const { host, port, log } = options;
  let draining = false;
  /** Every open connection with its last exchange. */
  const exchanges = new Map<Socket, Exchange | undefined>();
  const track = (response: Exchange) => {
    const { socket } = response.req;
    exchanges.set(socket, response);
    // Before Node.js's own listener, which closes.
    response.prependOnceListener("finish", () => {
      if (!response.req.complete) socket.destroySoon = () => closeGently(socket);
    });
  };
  const answer = getRequestListener(app.fetch, {
    hostname: host,
    // The app receives every body to its end. The adapter would close the connection half a second after the answer,
    // when the proxy has already given it to somebody else.
    autoCleanupIncoming: false,
    errorHandler(error) {
      if (error instanceof RequestError) return toResponse(refuse(error, log));
      log.error({ err: error }, "request failed");
      return toResponse(toProblem(error, newId()));
    },
  });
  const server = createServer(
    {
      maxHeaderSize: HEADERS_BYTES_MAX,
      // The app's own answer is a problem document.
      requireHostHeader: false,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    (request, response) => {
      track(response);
      if (draining) response.shouldKeepAlive = false;
      void answer(request, response);
    },
  );
  server.on("connection", (socket) => {
    exchanges.set(socket, undefined);
    socket.once("close", () => exchanges.delete(socket));
  });
  // RFC 9110, 10.1.1: an expectation that is not known may be left aside.
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  server.on("connect", (_request, socket) => closeGently(socket as Socket, toMessage(refuse(undefined, log))));
  server.on("clientError", (error, socket) => {
    if (socket.writableEnded) return; // refused already; this is more of the same
    const isGone = !socket.writable || errorCode(error) === "HPE_INVALID_EOF_STATE";
    if (isGone || !isNext(exchanges.get(socket as Socket))) socket.destroy();
    else closeGently(socket as Socket, toMessage(refuse(error, log)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  return {
    async drain() {
      draining = true;
      await quietTurn();
      // Not http.Server's own `close`, which closes idle connections at once. The proxy sends no POST twice, so one that
      // is on its way into such a connection would fail.
      const closed = new Promise<void>((resolve) => {
        NetServer.prototype.close.call(server, () => resolve());
      });
      const timer = setTimeout(() => {
        server.closeIdleConnections();
        // Nobody waits for what comes slowly.
        for (const [socket, last] of exchanges) if (last?.req.complete !== true) socket.destroy();
      }, IDLE_GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** @returns whether a message that is sent now is taken for the answer to what is being received */
function isNext(last: Exchange | undefined): boolean {
  if (last === undefined) return true;
  return last.req.complete ? last.writableFinished : !last.headersSent;
}

/**
 * Ends a connection on which something may still be on its way. To close it at once would reset it, and the proxy would take
 * the reset for a broken replica, and leave it out.
 */
function closeGently(socket: Socket, lastWords?: string): void {
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
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
