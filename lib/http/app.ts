import type { IncomingMessage } from "node:http";
import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import type { Principal } from "../auth/principal.ts";
import { AppError, unavailable } from "../errors.ts";
import { requestIdOf } from "../ids.ts";
import { parseJson } from "../json.ts";
import { isPostgresUnavailable } from "../postgres.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { continueTrace } from "../telemetry/trace.ts";
import { requireReadableAddress } from "./address.ts";
import { BODY_LIMIT_BYTES, BODY_TIMEOUT_MS, RequestBody } from "./body.ts";
import { requireJson } from "./media-type.ts";
import { PROBLEM_CONTENT_TYPE, toProblem } from "./problem.ts";

/** What middleware leaves for handlers. */
export interface HttpEnv {
  /** Node.js's own request, where there is one. */
  Bindings: { incoming?: IncomingMessage } | undefined;
  Variables: {
    requestId: string;
    traceparent: string;
    /** Set on routes that require a token; read it with `principalOf(c)`. */
    principal: Principal | undefined;
    /** Of methods that may have one; handlers get it from their validators. */
    body: RequestBody | undefined;
    /** Handlers add here what belongs into the request's one log line: ids and outcomes, nothing personal. */
    logFields: Record<string, unknown>;
  };
}

export type HttpApp = OpenAPIHono<HttpEnv>;
export type HttpContext = Context<HttpEnv>;

export interface HttpAppDeps {
  log: Logger;
  metrics: Metrics;
}

export interface HttpAppOptions {
  /** Body limits in bytes by path pattern, where another than BODY_LIMIT_BYTES applies. */
  bodyLimits?: Record<string, number>;
  /** Milliseconds that a whole body may take; BODY_TIMEOUT_MS where it is not given. */
  bodyTimeoutMs?: number;
}

/** Of every answer, unless it says otherwise itself. */
const ANSWER_HEADERS = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

/**
 * The base of every service's app: request ids, traces, one log line and one measurement per request, bounds of bodies,
 * problem documents for all errors.
 *
 * @param deps logger and metrics of the process
 */
export function createHttpApp(deps: HttpAppDeps, options: HttpAppOptions = {}): HttpApp {
  const app: HttpApp = new OpenAPIHono<HttpEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationFailed(result.error as z.ZodError, result.target);
    },
  });

  app.use(async (c, next) => {
    const startedAt = performance.now();
    const requestId = requestIdOf(c.req.header("x-request-id"));
    const { traceparent, traceId } = continueTrace(c.req.header("traceparent"));
    c.set("requestId", requestId);
    c.set("traceparent", traceparent);
    c.set("logFields", {});
    // Before the answer is made: to change one that exists is to build it a second time.
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) c.header(name, value);
    c.header("x-request-id", requestId);
    await next();
    const seconds = (performance.now() - startedAt) / 1000;
    const route = routePath(c, -1);
    const { status } = c.res;
    const principal = c.get("principal");
    deps.metrics.httpRequestSeconds.observe({ method: c.req.method, route, status }, seconds);
    const { code } = c.get("logFields");
    if (typeof code === "string") deps.metrics.httpRefusalsTotal.inc({ route, code });
    const fields = {
      requestId,
      traceId,
      method: c.req.method,
      route,
      status,
      durationMs: Math.round(seconds * 1e6) / 1e3,
      principalId: principal?.id,
      sessionId: principal?.sessionId,
      ...c.get("logFields"),
    };
    if (status >= 500) deps.log.error({ ...fields, err: c.error }, "request");
    else deps.log.info(fields, "request");
  });

  const limits = Object.entries(options.bodyLimits ?? {}).map(([pattern, limitBytes]) => ({
    pattern: new RegExp(`^${pattern.replace(/\{[^}]+\}/g, "[^/]+")}$`),
    limitBytes,
  }));
  const timeoutMs = options.bodyTimeoutMs ?? BODY_TIMEOUT_MS;
  app.use(async (c, next) => {
    if (c.req.method === "GET" || c.req.method === "HEAD") return next();
    const limitBytes = limits.find(({ pattern }) => pattern.test(c.req.path))?.limitBytes ?? BODY_LIMIT_BYTES;
    const body = new RequestBody(c.env?.incoming ?? c.req.raw, { limitBytes, timeoutMs });
    c.set("body", body);
    await next();
    if (!(await body.discard())) c.header("connection", "close");
  });
  app.use(async (c, next) => {
    requireHost(c);
    requireReadableAddress(c);
    const body = c.get("body");
    if (body !== undefined) {
      body.refuseIfTooLarge();
      requireJson(c);
      readExactly(c, body);
    }
    await next();
  });

  app.notFound((c) =>
    problem(c, new AppError("not_found", "route_not_found", `There is no ${c.req.method} ${c.req.path}.`)),
  );
  app.onError((error, c) => problem(c, toAnswer(error, c.get("body"))));
  return app;
}

/** Nobody reads `Host` here, but without a valid one there is no address that Hono and the validators could work on. */
function requireHost(c: HttpContext): void {
  const host = c.req.header("host");
  const isGood = host === undefined ? c.env?.incoming?.httpVersion !== "1.1" : URL.canParse(`http://${host}`);
  if (!isGood) throw new AppError("invalid_argument", "bad_request", "The header Host must name a host.");
}

/** Hono's validators read the body by `c.req.json`, which would round numbers and pass over what is named twice. */
function readExactly(c: HttpContext, body: RequestBody): void {
  // Where Hono looks before it reads the body itself.
  Object.defineProperty(c.req.bodyCache, "text", { get: () => body.text() });
  c.req.json = async <T>() => parseJson(await body.text()) as T;
}

function problem(c: HttpContext, error: unknown) {
  const document = toProblem(error, c.get("requestId"));
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    c.header("retry-after", String(error.retryAfterSeconds));
  }
  if (document.status === 401) c.header("www-authenticate", "Bearer");
  Object.assign(c.get("logFields"), { code: document.code, ...(error instanceof AppError ? error.logFields : {}) });
  return c.body(JSON.stringify(document), document.status as 400, { "content-type": PROBLEM_CONTENT_TYPE });
}

/** Errors that libraries throw, as the AppError that tells the client what it can do; all others are defects. */
function toAnswer(error: Error, body: RequestBody | undefined): unknown {
  if (error instanceof HTTPException) return fromHttpException(error, body);
  if (isPostgresUnavailable(error)) return unavailable("database_unavailable", "The database", error);
  return error;
}

/** Hono's own errors: so far only its JSON validator's, for a body that isn't JSON or could not be read. */
function fromHttpException(error: HTTPException, body: RequestBody | undefined): unknown {
  if (error.status !== 400) return error;
  return (
    body?.failure ??
    new AppError("invalid_argument", "malformed_json", "The body is not valid JSON, or names a field twice.", {
      cause: error,
    })
  );
}

function validationFailed(error: z.ZodError, target: string): AppError {
  const where = target === "json" ? "body" : target === "param" ? "path" : target;
  return new AppError("invalid_argument", "validation_failed", `The request's ${where} does not fit. See errors.`, {
    errors: error.issues.map((issue) => ({
      path: [where, ...issue.path].join("."),
      code: issue.code,
      message: issue.message,
    })),
    cause: error,
  });
}
