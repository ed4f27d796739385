import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import { requestIdOf } from "../lib/ids.ts";
import type { Logger } from "../lib/telemetry/log.ts";

/** Answers that are no WebSocket: problem documents (RFC 9457). */
export interface Refusals {
  /** To a request that can't become a WebSocket. */
  upgradeRequired(res: HttpResponse, requestId: string, detail: string): void;
}

/** Adds the answers to plain HTTP requests, which the edge has no use for; each is logged in a line of its own. */
export function addRefusals(app: TemplatedApp, socketPath: string, log: Logger): Refusals {
  const refuse = (
    res: HttpResponse,
    requestId: string,
    problem: { status: number; title: string; code: string; detail: string },
    { headers = {}, isHead = false }: { headers?: Record<string, string>; isHead?: boolean } = {},
  ) => {
    const { status, title, code } = problem;
    res.cork(() => {
      res.writeStatus(`${status} ${title}`);
      res.writeHeader("content-type", "application/problem+json");
      for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
      // uWebSockets.js 20.51 sends the body to HEAD too, and aborts the process after `endWithoutBody` with a length.
      if (isHead) res.end();
      else res.end(JSON.stringify({ type: "about:blank", ...problem, requestId }));
    });
    log.info({ requestId, status, code }, "request");
  };
  const idOf = (req: HttpRequest) => requestIdOf(req.getHeader("x-request-id"));

  const refusals: Refusals = {
    upgradeRequired: (res, requestId, detail) =>
      refuse(
        res,
        requestId,
        { status: 426, title: "Upgrade Required", code: "upgrade_required", detail },
        // Both as RFC 6455, section 4.4 and RFC 9110, section 15.5.22 want it.
        { headers: { upgrade: "websocket", "sec-websocket-version": "13" } },
      ),
  };
  app.get(socketPath, (res, req) => refusals.upgradeRequired(res, idOf(req), "Connect by WebSocket."));
  app.any("/*", (res, req) =>
    refuse(
      res,
      idOf(req),
      { status: 404, title: "Not Found", code: "route_not_found", detail: `There is only GET ${socketPath}.` },
      { isHead: req.getMethod() === "head" },
    ),
  );
  return refusals;
}
