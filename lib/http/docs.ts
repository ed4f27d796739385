import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { swaggerUI } from "@hono/swagger-ui";
import { AppError } from "../errors.ts";
import type { HttpApp } from "./app.ts";
import { BEARER_SCHEME } from "./auth.ts";
import { fillInExamples } from "./examples.ts";

/** Swagger UI's own files are served from here, so that the page works without the internet and under a strict CSP. */
const assetsFolder = path.dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
/** A file, since the page may have no script of its own. Addresses in it are relative to the page's. */
const START_SCRIPT = `window.ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  tryItOutEnabled: true,
  displayRequestDuration: true,
});
`;
const ASSETS: ReadonlyMap<string, string> = new Map([
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
  ["swagger-ui.css", "text/css; charset=utf-8"],
]);

export interface DocsOptions {
  /** the prefix through nginx, so that "Try it out" goes there */
  service: string;
  title: string;
  description: string;
  /** ISO 4217; in the examples */
  currency?: string;
}

/** Adds `/openapi.json` and Swagger UI at `/api-docs`. Call it after the routes. */
export function addDocs(app: HttpApp, options: DocsOptions): void {
  app.openAPIRegistry.registerComponent("securitySchemes", BEARER_SCHEME, {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "The `accessToken` of `POST /users/api/v1/auth/login`.",
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: options.title,
      version: "1.0.0",
      description: options.description,
      license: { name: "Apache License 2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: `/${options.service}` }],
  });
  const template = JSON.stringify(document);
  app.get("/openapi.json", (c) => {
    const text = fillInExamples(template, { now: Date.now(), currency: options.currency ?? "EUR" });
    return c.body(text, 200, { "content-type": "application/json" });
  });
  app.get("/api-docs", async (c, next) => {
    c.header("content-security-policy", CSP);
    await next();
  });
  // Relative addresses: the page is at /api-docs here and at /<service>/api-docs behind nginx.
  app.get(
    "/api-docs",
    swaggerUI({
      title: options.title,
      baseUrl: "api-docs",
      urls: [],
      manuallySwaggerUIHtml: ({ css, js }) =>
        [
          '<div id="swagger-ui"></div>',
          ...css.map((url) => `<link rel="stylesheet" href="${url}" />`),
          ...[...js, "api-docs/start.js"].map((url) => `<script src="${url}"></script>`),
        ].join("\n"),
    }),
  );
  app.get("/api-docs/start.js", (c) => c.body(START_SCRIPT, 200, { "content-type": "text/javascript; charset=utf-8" }));
  // Whoever types the service's address, or a slash too many.
  app.get("/", (c) => c.redirect("api-docs"));
  app.get("/api-docs/", (c) => c.redirect("../api-docs"));
  app.get("/api-docs/swagger-ui-dist/:file", async (c) => {
    const file = c.req.param("file");
    const type = ASSETS.get(file);
    if (type === undefined) throw new AppError("not_found", "route_not_found", `There is no ${c.req.path}.`);
    c.header("cache-control", "public, max-age=3600");
    return c.body(await readFile(path.join(assetsFolder, file)), 200, { "content-type": type });
  });
}
