import type { HttpResponse, TemplatedApp } from "uWebSockets.js";
import { newId } from "../lib/ids.ts";

/** Answers plain HTTP requests, which the edge has no use for, with problem documents (RFC 9457). */
export function addRefusals(app: TemplatedApp, socketPath: string): void {
  app.get(socketPath, (res) =>
    refuse(res, { status: 426, title: "Upgrade Required", code: "upgrade_required", detail: "Connect by WebSocket." }),
  );
  app.any("/*", (res) =>
    refuse(res, { status: 404, title: "Not Found", code: "route_not_found", detail: `There is only ${socketPath}.` }),
  );
}

function refuse(res: HttpResponse, problem: { status: number; title: string; code: string; detail: string }): void {
  res.cork(() => {
    res.writeStatus(`${problem.status} ${problem.title}`);
    res.writeHeader("content-type", "application/problem+json");
    if (problem.status === 426) res.writeHeader("upgrade", "websocket");
    res.end(JSON.stringify({ type: "about:blank", ...problem, requestId: newId() }));
  });
}
