import { once } from "node:events";
import { connect } from "node:net";
import getPort from "get-port";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpApp } from "./app.ts";
import { serveHttp } from "./server.ts";

const HOST = "127.0.0.1";
let port: number;
let server: Awaited<ReturnType<typeof serveHttp>>;
beforeAll(async () => {
  port = await getPort();
  const log = pino({ level: "silent" });
  const app = createHttpApp({ log, metrics: createMetrics() });
  app.get("/things/:name", (c) => c.json({ name: c.req.param("name"), q: c.req.query("q") }));
  server = await serveHttp(app, { host: HOST, port, log });
});
afterAll(() => server.drain());

/** One request, its address as bytes. */
async function get(target: Buffer | string) {
  const socket = connect(port, HOST);
  const end = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  socket.write(Buffer.concat([Buffer.from("GET "), Buffer.from(target), Buffer.from(end)]));
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  const [head = "", body = ""] = text.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), body: body === "" ? undefined : JSON.parse(body) };
}

test.each<[string, string]>([
  ["query", "/things/a?q=Caf%E9"],
  ["query", "/things/a?q=%ED%A0%80"],
  ["query", "/things/a?q=%C0%AF"],
  ["query", "/things/a?q=100%"],
  ["query", "/things/a?q=%zz"],
  ["query", "/things/a?%ff=x"],
  ["path", "/things/Caf%E9"],
  ["path", "/things/%zz"],
  ["path", "/no-such-thing/%ff?q=%ff"],
])("a %s that is not percent-encoded UTF-8 is refused: %s", async (where, target) => {
  expect(await get(target)).toMatchObject({
    status: 400,
    body: { code: "validation_failed", errors: [{ path: where, code: "invalid_encoding" }] },
  });
});

test.each([
  ["Latin-1", Buffer.from("/things/a?q=Caf\xe9", "latin1")],
  ["UTF-8", Buffer.from("/things/a?q=Café")],
  ["Latin-1 in the path", Buffer.from("/things/Caf\xe9", "latin1")],
])("bytes that are not percent-encoded at all are refused: %s", async (_, target) => {
  expect((await get(target)).status).toBe(400);
});

test.each([
  ["/things/Caf%C3%A9?q=%F0%9F%8E%B0", { name: "Café", q: "🎰" }],
  ["/things/a%2541?q=100%25+%2B", { name: "a%41", q: "100% +" }],
  ["/things/a%2Fb?q=%25zz", { name: "a/b", q: "%zz" }],
  ["/things/~!$'()*,;:@?q=/?", { name: "~!$'()*,;:@", q: "/?" }],
])("percent-encoded UTF-8 is taken for what it says: %s", async (target, body) => {
  expect(await get(target)).toEqual({ status: 200, body });
});
