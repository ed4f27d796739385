import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpApp } from "./app.ts";
import { addDocs } from "./docs.ts";

const app = createHttpApp({ log: pino({ level: "silent" }), metrics: createMetrics() });
addDocs(app, { service: "test", title: "Test", description: "A test's." });

test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "package.json", "..%2fpackage.json", "%00"])(
  "there is no asset %s: 404",
  async (file) => {
    const answer = await app.request(`/api-docs/swagger-ui-dist/${file}`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "route_not_found" });
  },
);

test("Swagger UI's own files are served with their types", async () => {
  const script = await app.request("/api-docs/swagger-ui-dist/swagger-ui-bundle.js");
  expect({ status: script.status, type: script.headers.get("content-type") }).toEqual({
    status: 200,
    type: "text/javascript; charset=utf-8",
  });
});
