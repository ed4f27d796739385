import { gzipSync } from "node:zlib";
import { createRoute, z } from "@hono/zod-openapi";
import getPort from "get-port";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exchange, rawRequest } from "../../tests/support/raw-http.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpApp } from "./app.ts";
import { jsonBody } from "./schemas.ts";
import { serveHttp } from "./server.ts";

const HOST = "127.0.0.1";
const ROUTES = ["/required", "/optional", "/none"];
const BODY = '{"text":"Café"}';

let url: string;
let drain: () => Promise<void>;
beforeAll(async () => {
  const log = pino({ level: "silent" });
  const app = createHttpApp({ log, metrics: createMetrics() });
  const schema = z.strictObject({ text: z.string().optional() });
  const responses = { 200: { description: "What was understood." } };
  const body = jsonBody(schema);
  app.openapi(createRoute({ method: "post", path: "/required", request: { body }, responses }), (c) =>
    c.json(c.req.valid("json"), 200),
  );
  const optional = { content: body.content };
  app.openapi(createRoute({ method: "post", path: "/optional", request: { body: optional }, responses }), (c) =>
    c.json(c.req.valid("json"), 200),
  );
  app.post("/none", (c) => c.json({}));
  const port = await getPort();
  url = `http://${HOST}:${port}`;
  drain = (await serveHttp(app, { host: HOST, port, log })).drain;
});
afterAll(() => drain());

/** Bytes as the characters that `rawRequest` takes. */
const latin1 = (bytes: string | Buffer) => Buffer.from(bytes as string).toString("latin1");
const send = (path: string, headers: string[], body?: string, isChunked = false) =>
  exchange(url, rawRequest(`POST ${path}`, { headers, ...(body === undefined ? {} : { body }), isChunked }));

test.each([
  "application/json",
  "APPLICATION/Json",
  "application/json;",
  "application/json ;",
  "application/json;;",
  "application/json; charset=utf-8",
  "application/json;charset=UTF-8",
  "application/json ; charset=utf-8",
  "application/json\t;\tcharset=utf-8",
  "application/json; charset=utf-8;",
  "application/json; charset=utf8",
  'application/json; CHARSET="Utf-8"',
  'application/json; charset="utf\\-8"',
  "application/json; profile=x; charset=utf-8",
  'application/json; note="a;b, c"',
  "  application/json  ",
])("Content-Type: %s is taken by every route", async (type) => {
  for (const path of ROUTES) {
    const answer = await send(path, [`Content-Type: ${type}`], latin1(BODY));
    expect({ path, ...answer }).toMatchObject({ path, status: 200, body: path === "/none" ? {} : { text: "Café" } });
  }
});

test.each([
  [undefined],
  ["Content-Type:"],
  ["Content-Type: text/plain"],
  ["Content-Type: application/jsonp"],
  ["Content-Type: application/json5"],
  ["Content-Type: application/ld+json"],
  ["Content-Type: application / json"],
  ["Content-Type: application/json, text/plain"],
  ["Content-Type: application/json\r\nContent-Type: application/json"],
  ["Content-Type: application/x-www-form-urlencoded"],
  ["Content-Type: multipart/form-data; boundary=x"],
  ["Content-Type: json"],
  ["Content-Type: ;charset=utf-8"],
  ["Content-Type: application/json; charset=iso-8859-1"],
  ["Content-Type: application/json; charset=utf-16"],
  ['Content-Type: application/json; charset=""'],
  ["Content-Type: application/json; charset=klingon"],
])("a body with %s is refused by every route with 415", async (header) => {
  for (const path of ROUTES) {
    for (const isChunked of [false, true]) {
      const answer = await send(path, header === undefined ? [] : [header], latin1(BODY), isChunked);
      expect({ path, isChunked, ...answer }).toMatchObject({
        status: 415,
        body: { status: 415, code: "unsupported_media_type", detail: expect.stringMatching(/application\/json|UTF-8/) },
      });
    }
  }
});

test.each(["gzip", "br", "deflate", "GZIP", "gzip, identity", "x"])(
  "a body with Content-Encoding: %s is refused with 415, which says so",
  async (encoding) => {
    for (const path of ROUTES) {
      const headers = ["Content-Type: application/json", `Content-Encoding: ${encoding}`];
      const answer = await send(path, headers, latin1(gzipSync(BODY)));
      expect(answer).toMatchObject({ status: 415, body: { detail: expect.stringContaining("Content-Encoding") } });
      expect(answer.headers.get("accept-encoding")).toBe("identity");
    }
  },
);

test("Content-Encoding: identity is none", async () => {
  const headers = ["Content-Type: application/json", "Content-Encoding: identity"];
  expect(await send("/required", headers, "{}")).toMatchObject({ status: 200 });
});

test("where no body is required, none needs no type", async () => {
  for (const body of [undefined, ""]) {
    expect(await send("/none", [], body)).toMatchObject({ status: 200 });
    expect(await send("/optional", [], body)).toMatchObject({ status: 200, body: {} });
  }
});

test.each<[string, string]>([
  ["Latin-1", '{"text":"Caf\xe9"}'],
  ["half a character", '{"text":"\xc3"}'],
  ["an overlong form", '{"text":"\xc0\xaf"}'],
  ["a surrogate", '{"text":"\xed\xa0\x80"}'],
  ["UTF-16", latin1(Buffer.from(BODY, "utf16le"))],
])("a body that is not UTF-8 is refused with 400: %s", async (_what, body) => {
  for (const path of ["/required", "/optional"]) {
    const answer = await send(path, ["Content-Type: application/json"], body);
    expect(answer).toMatchObject({ status: 400, body: { code: "malformed_json" } });
  }
});
