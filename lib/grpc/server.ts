import {
  type CallContext,
  createServer,
  type ServerMiddlewareCall,
  type ServiceImplementation,
  type TsProtoServiceDefinition,
} from "nice-grpc";
import { Status } from "nice-grpc-common";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { continueTrace } from "../telemetry/trace.ts";
import { createAdmission, type EndedCall } from "./admission.ts";
import { toServerError } from "./status.ts";
import { withStrictText } from "./strict-text.ts";

/**
 * Milliseconds after which a connection is asked to end (grpc-js spreads it by a tenth): its client then looks up the
 * addresses anew, so that a replica that came later gets its share although no connection broke.
 */
const CONNECTION_AGE_MAX_MS = 60_000;
/** Milliseconds that calls in flight have then; several times a call's deadline. */
const CONNECTION_GRACE_MS = 10_000;
/** Bytes; several times what the longest message of ours has. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** What handlers get besides nice-grpc's own context. */
export interface GrpcContext {
  /** Handlers add here what belongs into the call's one log line: ids, nothing personal. */
  logFields: Record<string, unknown>;
}

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

  const record = ({ method, status, seconds, traceparent, ...about }: EndedCall & Partial<GrpcContext>) => {
    const { traceId } = continueTrace(traceparent);
    const { peer, details, logFields } = about;
    metrics.grpcRequestSeconds.observe({ method, status }, seconds);
    const durationMs = Math.round(seconds * 1e6) / 1e3;
    log.info({ traceId, peer, method, status, details, durationMs, ...logFields }, "grpc");
  };

  async function* observe<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, GrpcContext>,
    context: CallContext,
  ) {
    const startedAt = performance.now();
    const method = call.method.path;
    const logFields = {};
    let status: keyof typeof Status = "OK";
    let details: string | undefined;
    try {
      return yield* call.next(call.request, { ...context, logFields });
    } catch (error) {
      if ((error as Error).name === "AbortError") {
        status = "CANCELLED";
        throw error;
      }
      const answer = toServerError(error);
      status = Status[answer.code] as keyof typeof Status;
      details = answer.details;
      if (answer.code === Status.INTERNAL) log.error({ err: error, method }, "grpc failed");
      throw answer;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      const { peer, metadata } = context;
      record({ method, status, seconds, traceparent: metadata.get("traceparent"), peer, details, logFields });
    }
  }

  const server = createServer({
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_connection_age_ms": options.connectionAgeMaxMs ?? CONNECTION_AGE_MAX_MS,
    "grpc.max_connection_age_grace_ms": CONNECTION_GRACE_MS,
    // For grpc-js, to which nice-grpc hands on all options.
    interceptors: [createAdmission(serviceToken, record)],
  }).use(observe);
  return {
    add<Service extends TsProtoServiceDefinition>(
      service: Service,
      implementation: ServiceImplementation<Service, GrpcContext>,
    ) {
      server.add(withStrictText(service), implementation);
    },
    listen: (address: string) => server.listen(address),
    shutdown: () => server.shutdown(),
    forceShutdown: () => server.forceShutdown(),
  };
}
