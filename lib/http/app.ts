import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
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
import { PROBLEM_CONTENT_TYPE, toProblem } from "./problem.ts";

/** What middleware leaves for handlers. */
export interface HttpEnv {
  Variables: {
    requestId: string;
    traceparent: string;
    /** Set on routes that require a token; read it with `principalOf(c)`. */
    principal: Principal | undefined;
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

/** Bytes; larger bodies are refused with 413. Assign takes 10,000 ids of 39 bytes and so has a larger limit. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/**
 * The base of every service's app: request ids, traces, one log line and one measurement per request, body limit,
 * problem documents for all errors.
 *
 * @param deps logger and metrics of the process
 * @param options.bodyLimits body limits in bytes by path pattern, where another than BODY_LIMIT_BYTES applies
 */
export function createHttpApp(deps: HttpAppDeps, options: { bodyLimits?: Record<string, number> } = {}): HttpApp {
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
    await next();
    c.header("x-request-id", requestId);
    c.header("x-content-type-options", "nosniff");
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
    const seconds = (performance.now() - startedAt) / 1000;
    const route = routePath(c, -1);
    deps.metrics.httpRequestSeconds.observe({ method: c.req.method, route, status: c.res.status }, seconds);
    const fields = {
      requestId,
      traceId,
      method: c.req.method,
      route,
      status: c.res.status,
      durationMs: Math.round(seconds * 1e6) / 1e3,
      principalId: c.get("principal")?.id,
      sessionId: c.get("principal")?.sessionId,
      ...c.get("logFields"),
    };
    if (c.res.status >= 500) deps.log.error({ ...fields, err: c.error }, "request");
    else deps.log.info(fields, "request");
  });

  app.use(requireReadableAddress);

  const limits = Object.entries(options.bodyLimits ?? {}).map(([pattern, maxSize]) => ({
    pattern: new RegExp(`^${pattern.replace(/\{[^}]+\}/g, "[^/]+")}$`),
    limit: limitBody(maxSize),
  }));
  const defaultLimit = limitBody(BODY_LIMIT_BYTES);
  app.use((c, next) => (limits.find(({ pattern }) => pattern.test(c.req.path))?.limit ?? defaultLimit)(c, next));

  app.use(requireJsonBody);
  app.use(readJsonExactly);

  app.notFound((c) =>
    problem(c, new AppError("not_found", "route_not_found", `There is no ${c.req.method} ${c.req.path}.`)),
  );
  app.onError((error, c) => problem(c, toAnswer(error)));
  return app;
}

function limitBody(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new AppError("payload_too_large", "payload_too_large", `The body may have at most ${maxSize} bytes.`);
    },
  });
}

/** A body in anything but JSON would slip past the validators, which read `application/json` only. */
async function requireJsonBody(c: HttpContext, next: () => Promise<void>) {
  const type = c.req.header("content-type");
  if (type !== undefined && c.req.method !== "GET" && !/^application\/json\s*(;|$)/i.test(type)) {
    throw new AppError(
      "unsupported_media_type",
      "unsupported_media_type",
      "Send the body as JSON, with the header Content-Type: application/json.",
    );
  }
  await next();
}

/** Hono's validators read the body by `c.req.json`, which would round numbers and pass over what is named twice. */
async function readJsonExactly(c: HttpContext, next: () => Promise<void>) {
  c.req.json = async <T>() => parseJson(await c.req.text()) as T;
  await next();
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
function toAnswer(error: Error): unknown {
  if (error instanceof HTTPException) return fromHttpException(error);
  if (isPostgresUnavailable(error)) return unavailable("database_unavailable", "The database", error);
  return error;
}

/** Hono's own errors: so far only its JSON validator's, for a body that isn't JSON. */
function fromHttpException(error: HTTPException): unknown {
  if (error.status === 400) {
    return new AppError("invalid_argument", "malformed_json", "The body is not valid JSON, or names a field twice.", {
      cause: error,
    });
  }
  return error;
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
