import { Agent, request } from "node:http";
import getPort from "get-port";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpApp } from "./app.ts";
import { serveHttp } from "./server.ts";

const HOST = "127.0.0.1";

test("a draining server refuses new connections, and still answers what comes on those that were idle", async () => {
  const port = await getPort();
  const app = createHttpApp({ log: pino({ level: "silent" }), metrics: createMetrics() });
  app.post("/echo", (c) => c.json({ ok: true }));
  const server = await serveHttp(app, { host: HOST, port });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await post(port, agent)).toEqual({ status: 200, connection: "keep-alive" });

  const drained = server.drain();
  await expect.poll(() => post(port, new Agent()).catch((error) => error.code)).toBe("ECONNREFUSED");
  expect(await post(port, agent)).toEqual({ status: 200, connection: "close" });
  await drained;
});

function post(port: number, agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: HOST, port, agent, method: "POST", path: "/echo" }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode, connection: response.headers.connection }));
    });
    sent.once("error", reject).end();
  });
}
