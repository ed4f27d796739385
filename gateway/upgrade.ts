import type { HttpRequest } from "uWebSockets.js";
import { requestIdOf } from "../lib/ids.ts";
import { readCredentials } from "./authenticate.ts";

/** What the edge takes from a request that wants to be a WebSocket. */
export interface Upgrade {
  requestId: string;
  token: string | undefined;
  /** To answer with; "" for none. */
  subprotocol: string;
  /** Where the client left off, as it says; "" if what it says is not one cursor; undefined if it says nothing. */
  cursor: string | undefined;
  key: string;
  extensions: string;
  /** What keeps it from becoming one, as the client is told; undefined if nothing does. uWebSockets.js looks at the key only. */
  problem: string | undefined;
}

/** Reads all at once: uWebSockets.js takes `req` back when its handler returns. */
export function readUpgrade(req: HttpRequest): Upgrade {
  // Lines of one name are one list (RFC 9110, section 5.3). `getHeader` knows the first of them only.
  const headers = new Map<string, string>();
  req.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  const header = (name: string) => headers.get(name) ?? "";
  // Not uWebSockets.js's own decoding, for which a value that can't be decoded is not there.
  const cursors = new URLSearchParams(req.getQuery()).getAll("cursor");
  return {
    requestId: requestIdOf(headers.get("x-request-id")),
    ...readCredentials({ authorization: header("authorization"), subprotocols: header("sec-websocket-protocol") }),
    cursor: cursors.length > 1 ? "" : cursors[0],
    key: header("sec-websocket-key"),
    extensions: header("sec-websocket-extensions"),
    problem: problemOf(header),
  };
}

function problemOf(header: (name: string) => string): string | undefined {
  if (!/(^|,)\s*websocket\s*(,|$)/i.test(header("upgrade"))) return "Connect by WebSocket.";
  if (header("sec-websocket-version") !== "13") return "Connect by version 13 of the protocol.";
  // Its bytes would be taken for frames.
  const hasBody = Number(header("content-length")) !== 0 || header("transfer-encoding") !== "";
  return hasBody ? "Connect without a body." : undefined;
}
