import { describe, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { registerStaff } from "../support/api.ts";
import { listProcesses, startProcess, stopProcess } from "../support/control.ts";
import { exchange, RawConnection, rawRequest } from "../support/raw-http.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

const ME = "GET /users/api/v1/users/me";
const SOCKET = "GET /notifications/ws";
const headersOf = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, index) => `X-${index}: ${"x".repeat(bytes)}`);
const withHost = (host: string) => `${ME} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

describe("every error answer is a problem document, whoever refuses", () => {
  test.each<[string, number, string, string]>([
    ["HTTP/1.1 without Host", 400, "bad_request", `${ME} HTTP/1.1\r\n\r\n`],
    ["two Hosts", 400, "bad_request", rawRequest(ME, { headers: ["Host: b"] })],
    ["a Host with a space", 400, "bad_request", withHost("a b")],
    ["headers of 20 KB", 401, "token_missing", rawRequest(ME, { headers: headersOf(4, 5_000) })],
    ["headers of 36 KB", 431, "headers_too_large", rawRequest(ME, { headers: headersOf(6, 6_000) })],
    ["a header of 9 KB", 431, "headers_too_large", rawRequest(ME, { headers: headersOf(1, 9_000) })],
    ["an address of 9 KB", 414, "uri_too_long", rawRequest(`${ME}?${"x".repeat(9_000)}`)],
    [
      "an unknown Transfer-Encoding",
      501,
      "not_implemented",
      rawRequest("POST /users", { headers: ["Transfer-Encoding: gzip"] }),
    ],
    ["HTTP/9.9", 505, "version_not_supported", `${ME} HTTP/9.9\r\nHost: a\r\n\r\n`],
    ["HTTP/2.0 without TLS", 505, "version_not_supported", `${ME} HTTP/2.0\r\nHost: a\r\n\r\n`],
    ["TLS", 400, "bad_request", "\x16\x03\x01\x02\x00\r\n\r\n"],
    ["TRACE", 405, "method_not_allowed", rawRequest("TRACE /users/api-docs")],
    ["a method that is none", 400, "bad_request", rawRequest("FOO /users/api/v1/users/me")],
    ["a control character in a header", 400, "bad_request", rawRequest(ME, { headers: ["X-A: a\x01b"] })],
    ["NUL in a header", 400, "bad_request", rawRequest(ME, { headers: ["X-A: a\0b"] })],
    ["a header without a name", 400, "bad_request", rawRequest(ME, { headers: [": b"] })],
    ["a length that is none", 400, "bad_request", rawRequest("POST /users/x", { headers: ["Content-Length: x"] })],
    [
      "a chunk that is none",
      400,
      "bad_request",
      `${rawRequest("POST /users/x", { headers: ["Transfer-Encoding: chunked"] })}zz\r\n`,
    ],
    [
      "a chunk too large",
      413,
      "payload_too_large",
      rawRequest("POST /users/x", { body: "x".repeat(100_000), isChunked: true }),
    ],
    ["a body too large", 413, "payload_too_large", rawRequest("POST /users/x", { body: "x".repeat(100_000) })],
    ["a path above all", 400, "bad_request", rawRequest("GET /../x")],
    ["NUL in the path", 400, "bad_request", rawRequest("GET /users/%00")],
    ["an escape that is none", 400, "bad_request", rawRequest("GET /users/%zz")],
    ["a control character in the query", 400, "bad_request", rawRequest(`${ME}?a=\x01`)],
    ["no UTF-8 in the query", 400, "bad_request", rawRequest(`${ME}?a=\xff`)],
    ["a backslash", 404, "route_not_found", rawRequest("GET /users/a\\b")],
    [
      "If-Match where nothing has a version",
      412,
      "precondition_failed",
      rawRequest("GET /", { headers: ['If-Match: "a"'] }),
    ],
    ["a path of nobody", 404, "not_found", rawRequest("GET /nothing")],
    ["the error pages themselves", 404, "not_found", rawRequest("GET /problem")],
    [
      "an asset that JavaScript knows",
      404,
      "route_not_found",
      rawRequest("GET /users/api-docs/swagger-ui-dist/__proto__"),
    ],
    [
      "the gateway, with a control character",
      400,
      "bad_request",
      rawRequest(SOCKET, { headers: ["Sec-WebSocket-Protocol: a\x01b"] }),
    ],
    [
      "the gateway, with 120 headers",
      431,
      "headers_too_large",
      rawRequest(SOCKET, { headers: ["Sec-WebSocket-Protocol: a", ...headersOf(120, 1)] }),
    ],
    ["the gateway, by another method", 404, "route_not_found", rawRequest("POST /notifications/ws", { body: "x" })],
  ])("%s: %i", async (_what, status, code, text) => {
    const answer = await exchange(servers.url, text);
    expect(answer).toMatchObject({ status, body: { type: "about:blank", title: expect.any(String), status, code } });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body.requestId).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  });
});

test("a Host that not every nginx takes is no defect", async () => {
  const answer = await exchange(servers.url, withHost("a<b>"));
  expect([400, 401]).toContain(answer.status);
  expect(answer.body.status).toBe(answer.status);
});

test.each(["1.2.3.4.5", "casino.123", "999999999999", "xn--"])(
  "the Host %s, which no service gets to see, is as good as any",
  async (host) => {
    expect(await exchange(servers.url, withHost(host))).toMatchObject({ status: 401, body: { code: "token_missing" } });
  },
);

test("HTTP/1.0 without Host is answered", async () => {
  expect(await exchange(servers.url, `${ME} HTTP/1.0\r\n\r\n`)).toMatchObject({ status: 401 });
});

test("with Promotions down, an assignment of 10,000 players gets nginx's problem document, and a connection that ends", async () => {
  const staff = await registerStaff();
  const names = (await listProcesses()).filter(({ role }) => role === "promotions").map(({ name }) => name);
  await Promise.all(names.map(stopProcess));
  try {
    for (const isChunked of [false, true]) {
      const headers = ["Content-Type: application/json", `Authorization: Bearer ${staff.token}`];
      const body = JSON.stringify({ playerIds: Array.from({ length: 10_000 }, newId) });
      const connection = await RawConnection.open(servers.url);
      connection.send(rawRequest(`POST /promotions/api/v1/promotions/${newId()}/assign`, { headers, body, isChunked }));
      const answer = await connection.answer();
      expect(answer).toMatchObject({ status: 502, body: { status: 502, code: "bad_gateway" } });
      expect(answer.headers.get("connection")).toBe("close");
      connection.close();
    }
  } finally {
    await Promise.all(names.map(startProcess));
    await until("nginx sends requests there again", async () => (await fetch(`${servers.url}/promotions/api-docs`)).ok);
  }
});
