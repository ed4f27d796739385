import { Agent, request } from "node:http";
import { createRoute, z } from "@hono/zod-openapi";
import getPort from "get-port";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { exchange, RawConnection, rawRequest } from "../../tests/support/raw-http.ts";
import { until } from "../../tests/support/until.ts";
import { AppError } from "../errors.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpApp, type HttpAppOptions } from "./app.ts";
import { jsonBody } from "./schemas.ts";
import { serveHttp } from "./server.ts";

const HOST = "127.0.0.1";
const JSON_TYPE = "Content-Type: application/json";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** An app with a route for each way to answer, on a port of its own. */
async function start(options?: HttpAppOptions) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const app = createHttpApp({ log, metrics: createMetrics() }, options);
  const responses = { 200: { description: "Here it is." } };
  app.openapi(
    createRoute({
      method: "post",
      path: "/echo",
      request: { body: jsonBody(z.strictObject({ text: z.string() })) },
      responses,
    }),
    (c) => c.json(c.req.valid("json"), 200),
  );
  app.all("/unread", (c) => c.json({ ok: true }));
  app.all("/refused", () => {
    throw new AppError("unauthenticated", "token_missing", "Send a token.");
  });
  const port = await getPort();
  const server = await serveHttp(app, { host: HOST, port, log });
  stops.push(server.drain);
  return { ...server, port, url: `http://${HOST}:${port}`, lines };
}

test("a draining server refuses new connections, and still answers what comes on those that were idle", async () => {
  const { port, drain } = await start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await post(port, agent)).toEqual({ status: 200, connection: "keep-alive" });

  const drained = drain();
  stops.pop();
  await expect.poll(() => post(port, new Agent()).catch((error) => error.code)).toBe("ECONNREFUSED");
  expect(await post(port, agent)).toEqual({ status: 200, connection: "close" });
  await drained;
});

function post(port: number, agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: HOST, port, agent, method: "POST", path: "/unread" }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode, connection: response.headers.connection }));
    });
    sent.once("error", reject).end();
  });
}

const LARGE = "x".repeat(390_000);

test.each<[string, number, string, string[]?]>([
  ["a missing token", 401, "POST /refused", [JSON_TYPE]],
  ["a path that is none", 404, "POST /nothing", [JSON_TYPE]],
  ["a body that is too large", 413, "POST /echo", [JSON_TYPE]],
  ["a type that is not taken", 415, "POST /unread", ["Content-Type: text/plain"]],
  ["an encoding that is not taken", 415, "POST /unread", [JSON_TYPE, "Content-Encoding: gzip"]],
  ["a host that is none", 400, "POST /unread", [JSON_TYPE, "Host: b"]],
  ["an address that is none", 400, "POST /un\\read", [JSON_TYPE]],
  ["nothing that is wrong", 200, "GET /unread"],
  ["a missing token of a GET", 401, "GET /refused"],
])(
  "a large body that is answered early, for %s, leaves the connection good",
  async (_what, status, target, headers = []) => {
    const bodyLimits = Object.fromEntries(["/refused", "/nothing", "/unread"].map((path) => [path, 1024 * 1024]));
    const { url } = await start({ bodyLimits });
    for (const isChunked of [false, true]) {
      const connection = await RawConnection.open(url);
      connection.send(rawRequest(target, { headers, body: LARGE, isChunked }));
      const early = await connection.answer();
      expect({ isChunked, status: early.status }).toEqual({ isChunked, status });
      expect(early.headers.get("connection")).toBe("keep-alive");
      connection.send(rawRequest("POST /echo", { headers: [JSON_TYPE], body: '{"text":"next"}' }));
      expect(await connection.answer()).toMatchObject({ status: 200, body: { text: "next" } });
      connection.close();
    }
  },
);

test.each<[string, string, boolean, number, string | undefined]>([
  ["that is wanted", "POST /echo", false, 408, "request_timeout"],
  ["that is wanted, in chunks", "POST /echo", true, 408, "request_timeout"],
  ["that nobody reads", "POST /unread", false, 200, undefined],
  ["of who is refused", "POST /refused", true, 401, "token_missing"],
  ["that is too large", "POST /echo", true, 413, "payload_too_large"],
])(
  "a body %s and does not come to its end is answered in time, and its connection ends",
  async (...[, target, isChunked, status, code]) => {
    const { url } = await start({ bodyTimeoutMs: 300, bodyLimits: { "/echo": 1_000 } });
    const connection = await RawConnection.open(url);
    const body = status === 413 ? LARGE : "x".repeat(900);
    connection.send(rawRequest(target, { headers: [JSON_TYPE], body, isChunked }).slice(0, -100));
    const answer = await connection.answer();
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(code);
    expect(answer.headers.get("connection")).toBe("close");
    // Not reset while it still sends: it can be the proxy, to whom a reset is a broken replica.
    connection.send("x");
    connection.send("x");
    await connection.untilClosed();
    expect(connection.error).toBeUndefined();
  },
);

test("a client that breaks off in its body is no defect, and is logged", async () => {
  const { url, lines } = await start();
  const connection = await RawConnection.open(url);
  connection.send(rawRequest("POST /echo", { headers: [JSON_TYPE], body: "x".repeat(900) }).slice(0, -1));
  connection.close();
  const line = await until("it is logged", () => lines.find(({ code }) => code === "body_incomplete"));
  expect(line).toMatchObject({ level: 30, status: 400, route: "/echo" });
});

test("a draining server does not wait for a body that comes slowly, nor for headers, nor for who says nothing", async () => {
  const { url, drain } = await start();
  const body = rawRequest("POST /echo", { headers: [JSON_TYPE], body: "x".repeat(900) }).slice(0, -1);
  const connections = await Promise.all(
    [body, "GET /unread HTTP/1.1\r\n", ""].map(async (text) => {
      const connection = await RawConnection.open(url);
      connection.send(text);
      return connection;
    }),
  );
  // Behind them in the queue, so they have been taken.
  expect(await exchange(url, rawRequest("GET /unread"))).toMatchObject({ status: 200 });
  const startedAt = performance.now();
  stops.pop();
  await drain();
  expect(performance.now() - startedAt).toBeLessThan(6_000);
  await Promise.all(connections.map((connection) => connection.untilClosed()));
});

const HEADERS_TOO_LARGE = Array.from({ length: 10 }, (_, index) => `X-${index}: ${"x".repeat(6_000)}`);

test.each<[string, number, string, string]>([
  ["no Host", 400, "bad_request", "GET /unread HTTP/1.1\r\n\r\n"],
  ["an empty Host", 400, "bad_request", "GET /unread HTTP/1.1\r\nHost:\r\n\r\n"],
  ...["1.2.3.4.5", "casino.123", "999999999999", "xn--", "a<b>", "a b", "a/b", "user@a", "a:b", "[::1"].map(
    (host) =>
      [`the Host ${host}`, 400, "bad_request", `GET /unread HTTP/1.1\r\nHost: ${host}\r\n\r\n`] as [
        string,
        number,
        string,
        string,
      ],
  ),
  ["an absolute address that is none", 400, "bad_request", rawRequest("GET http://1.2.3.4.5/unread")],
  ["a backslash", 400, "bad_request", rawRequest("GET /un\\read")],
  ["no path", 400, "bad_request", rawRequest("OPTIONS *")],
  ["headers that are too large", 431, "headers_too_large", rawRequest("GET /unread", { headers: HEADERS_TOO_LARGE })],
  ["a header without a colon", 400, "bad_request", rawRequest("GET /unread", { headers: ["abc"] })],
  ["a control character in a header", 400, "bad_request", rawRequest("GET /unread", { headers: ["X-A: a\x01b"] })],
  ["a length that is none", 400, "bad_request", rawRequest("POST /unread", { headers: ["Content-Length: x"] })],
  ["two lengths", 400, "bad_request", rawRequest("POST /unread", { headers: ["Content-Length: 1"], body: "ab" })],
  [
    "an unknown Transfer-Encoding",
    400,
    "bad_request",
    rawRequest("POST /unread", { headers: ["Transfer-Encoding: gzip"] }),
  ],
  [
    "a chunk that is none",
    400,
    "bad_request",
    `${rawRequest("POST /echo", { headers: [JSON_TYPE, "Transfer-Encoding: chunked"] })}zz\r\n`,
  ],
  ["an unknown method", 400, "bad_request", rawRequest("FOO /unread")],
  ["CONNECT", 400, "bad_request", rawRequest("CONNECT casino.example:443")],
  ["an unknown version", 400, "bad_request", "GET /unread HTTP/9.9\r\nHost: a\r\n\r\n"],
  ["TLS", 400, "bad_request", "\x16\x03\x01\x02\x00\r\n\r\n"],
  ["the preface of HTTP/2", 400, "bad_request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
])("%s: %i with a problem document, which is logged", async (_what, status, code, text) => {
  const { url, lines } = await start();
  const answer = await exchange(url, text);
  expect(answer).toMatchObject({ status, body: { status, code, type: "about:blank", title: expect.any(String) } });
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("x-request-id")).toBe(answer.body.requestId);
  const line = await until("it is logged", () => lines.find(({ requestId }) => requestId === answer.body.requestId));
  expect(line).toMatchObject({ level: 30, status, code });
});

test("what is right but rare is answered: HTTP/1.0 without Host, an unknown expectation, an absolute address", async () => {
  const { url } = await start();
  for (const text of [
    "GET /unread HTTP/1.0\r\n\r\n",
    rawRequest("POST /unread", { headers: ["Expect: the-unexpected"], body: "" }),
    rawRequest("GET http://elsewhere.example/unread"),
  ]) {
    expect(await exchange(url, text)).toMatchObject({ status: 200, body: { ok: true } });
  }
});

test("what is malformed behind a request that is under way does not become its answer", async () => {
  const { url } = await start();
  const connection = await RawConnection.open(url);
  connection.send(`${rawRequest("POST /echo", { headers: [JSON_TYPE], body: '{"text":"first"}' })}garbage\r\n\r\n`);
  await connection.untilClosed();
  expect(connection.received).not.toContain("bad_request");
});
