import { createHash, timingSafeEqual } from "node:crypto";
import { type CallContext, createServer, type ServerMiddlewareCall } from "nice-grpc";
import { Status } from "nice-grpc-common";
import { AppError } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { continueTrace } from "../telemetry/trace.ts";
import { toServerError } from "./status.ts";

/**
 * Milliseconds after which a connection is asked to end (grpc-js spreads it by a tenth): its client then looks up the
 * addresses anew, so that a replica that came later gets its share although no connection broke.
 */
const CONNECTION_AGE_MAX_MS = 60_000;
/** Milliseconds that calls in flight have then; several times a call's deadline. */
const CONNECTION_GRACE_MS = 10_000;

/**
 * A gRPC server whose calls need the service credential, are logged in one line each, and answer errors by kind.
 *
 * @param options.serviceToken the secret that callers send as `authorization: Bearer <token>`
 * @param options.connectionAgeMaxMs how long a connection is used
 */
export function createGrpcServer(options: {
  serviceToken: string;
  log: Logger;
  metrics: Metrics;
  connectionAgeMaxMs?: number;
}) {
  const { serviceToken, log, metrics } = options;

  async function* observe<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    const startedAt = performance.now();
    const { traceId } = continueTrace(context.metadata.get("traceparent"));
    let status: keyof typeof Status = "OK";
    try {
      requireServiceToken(context.metadata.get("authorization"), serviceToken);
      return yield* call.next(call.request, context);
    } catch (error) {
      if ((error as Error).name === "AbortError") {
        status = "CANCELLED";
        throw error;
      }
      const answer = toServerError(error);
      status = Status[answer.code] as keyof typeof Status;
      if (answer.code === Status.INTERNAL) log.error({ err: error, method: call.method.path }, "grpc failed");
      throw answer;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.grpcRequestSeconds.observe({ method: call.method.path, status }, seconds);
      log.info({ traceId, method: call.method.path, status, durationMs: Math.round(seconds * 1e6) / 1e3 }, "grpc");
    }
  }

  return createServer({
    "grpc.max_receive_message_length": 64 * 1024,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_connection_age_ms": options.connectionAgeMaxMs ?? CONNECTION_AGE_MAX_MS,
    "grpc.max_connection_age_grace_ms": CONNECTION_GRACE_MS,
  }).use(observe);
}

function requireServiceToken(header: unknown, serviceToken: string): void {
  const digest = (value: string) => createHash("sha256").update(value).digest();
  const given = typeof header === "string" ? header : "";
  if (!timingSafeEqual(digest(given), digest(`Bearer ${serviceToken}`))) {
    throw new AppError("unauthenticated", "service_token_invalid", "Send the service token as metadata authorization.");
  }
}
