import { ChannelCredentials, createChannel, createClientFactory, Metadata } from "nice-grpc";
import { deadlineMiddleware } from "nice-grpc-client-middleware-deadline";
import { retryMiddleware } from "nice-grpc-client-middleware-retry";
import { type CallOptions, ClientError, type ClientMiddlewareCall, Status } from "nice-grpc-common";
import {
  type BalanceServiceClient,
  BalanceServiceDefinition,
} from "../../proto/generated/casino/balance/v1/balance.ts";
import { CircuitOpenError, createCircuitBreaker, type OnCircuitChange } from "../circuit-breaker.ts";

export type { BalanceServiceClient } from "../../proto/generated/casino/balance/v1/balance.ts";

/** Deadline of one attempt, in milliseconds. */
const ATTEMPT_DEADLINE_MS = 2_000;
/** Milliseconds. Within an attempt, and time enough for a Users that is busy: one that is too short never connects. */
const CONNECT_TIMEOUT_MS = 1_500;
/**
 * Further attempts after the first; each goes to the next replica. With the waits between them at most 6.2 s in all,
 * which leaves a claim time for its own database within nginx's 15 s.
 */
const RETRIES_MAX = 2;
/** The answer was lost, or there was none: worth another attempt, and if that fails too, a hang. */
const NO_ANSWER = [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.UNKNOWN];

const PATIENCE = {
  deadline: ATTEMPT_DEADLINE_MS,
  retry: true,
  retryMaxAttempts: RETRIES_MAX,
  retryBaseDelayMs: 50,
  retryMaxDelayMs: 400,
  retryableStatuses: NO_ANSWER,
};

/** Users will not do it. */
const REFUSALS = [Status.FAILED_PRECONDITION, Status.NOT_FOUND];

/** Client-side round robin over every address the target names or resolves to. */
const SERVICE_CONFIG = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });

/**
 * A client of Users' BalanceService. Every attempt has a deadline; since both methods are idempotent, they are retried
 * where the answer was lost or a replica is gone. While none answers, calls fail at once with UNAVAILABLE. So does a call
 * that is refused after an attempt of it had no answer: a replica may yet do what that one asked for.
 *
 * @param target a gRPC target: `dns:///users:50051`, or `ipv4:127.0.0.1:1,127.0.0.1:2`
 * @param serviceToken the secret that Users expects
 * @param onCircuitChange told when Users stops answering, and when it answers again
 */
export function connectBalanceService(
  target: string,
  serviceToken: string,
  onCircuitChange?: OnCircuitChange,
): { client: BalanceServiceClient; close: () => void } {
  const channel = createChannel(target, ChannelCredentials.createInsecure(), {
    "grpc.service_config": SERVICE_CONFIG,
    "grpc.service_config_disable_resolution": 1,
    // A replica that is killed must be found out and its successor tried soon.
    "grpc.initial_reconnect_backoff_ms": 100,
    // Not a backoff, whatever its name says: how long a connection may take to stand (nice-grpc, connectTimeoutPatch.ts).
    "grpc.min_reconnect_backoff_ms": CONNECT_TIMEOUT_MS,
    "grpc.max_reconnect_backoff_ms": 1_000,
    // Replicas that are replaced one after the other have new addresses; the default asks for them every 30 s at most.
    "grpc.dns_min_time_between_resolutions_ms": 1_000,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 2_000,
    "grpc.enable_retries": 0,
  });
  async function* authenticate<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
    const metadata = Metadata(options.metadata).set("authorization", `Bearer ${serviceToken}`);
    return yield* call.next(call.request, { ...options, metadata });
  }
  const retrying = createClientFactory()
    .use(authenticate)
    .use(deadlineMiddleware)
    .use(retryMiddleware) // the last one used is the outermost: each attempt has its own deadline
    .create(BalanceServiceDefinition, channel, { addTransaction: PATIENCE, voidTransaction: PATIENCE });
  const breaker = createCircuitBreaker(
    "balance",
    (error) => error instanceof ClientError && NO_ANSWER.includes(error.code),
    onCircuitChange,
  );
  const noAnswer = (method: { name: string }, cause: Error) =>
    new ClientError(method.name, Status.UNAVAILABLE, cause.message);
  const { addTransaction, voidTransaction } = BalanceServiceDefinition.methods;
  const client: BalanceServiceClient = {
    async voidTransaction(request, options) {
      try {
        return await breaker(() => retrying.voidTransaction(request, options));
      } catch (error) {
        if (error instanceof CircuitOpenError) throw noAnswer(voidTransaction, error);
        throw error;
      }
    },
    async addTransaction(request, options) {
      let isAnswerLost = false;
      const onRetryableError = () => {
        isAnswerLost = true;
      };
      try {
        return await breaker(() => retrying.addTransaction(request, { ...options, onRetryableError }));
      } catch (error) {
        const isUnsure = isAnswerLost && error instanceof ClientError && REFUSALS.includes(error.code);
        if (!isUnsure && !(error instanceof CircuitOpenError)) throw error;
        throw noAnswer(addTransaction, error);
      }
    },
  };
  return { client, close: () => channel.close() };
}
