import { setTimeout as delay } from "node:timers/promises";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** Seconds; from a cache hit to a request's deadline. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Milliseconds between looks at the event loop's delay; at prom-client's 10 they cost an idle process half a percent of a core. */
const EVENT_LOOP_PRECISION_MS = 100;

/**
 * The metrics of one process, in Prometheus format. One set for all kinds of process, so that a name means the same
 * everywhere; label values are bounded (routes, topics, outcomes; never ids).
 */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  const registers = [registry];
  return {
    registry,
    httpRequestSeconds: new Histogram({
      name: "http_request_duration_seconds",
      help: "Duration of HTTP requests by route and status.",
      labelNames: ["method", "route", "status"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    httpRefusalsTotal: new Counter({
      name: "http_refusals_total",
      help: "Requests that were refused or failed, by route and the code of the problem document.",
      labelNames: ["route", "code"],
      registers,
    }),
    grpcRequestSeconds: new Histogram({
      name: "grpc_request_duration_seconds",
      help: "Duration of gRPC calls served, by method and status code.",
      labelNames: ["method", "status"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    messagesTotal: new Counter({
      name: "kafka_messages_total",
      help: "Messages consumed, by topic and outcome (handled, dead_lettered).",
      labelNames: ["topic", "outcome"],
      registers,
    }),
    messageLagSeconds: new Gauge({
      name: "kafka_message_lag_seconds",
      help: "Age of the last message of the batch handled last.",
      labelNames: ["topic"],
      registers,
    }),
    consumerLag: new Gauge({
      name: "kafka_consumer_lag",
      help: "Messages of a partition that were not handled yet when it was last fetched.",
      labelNames: ["topic", "partition"],
      registers,
    }),
    partitionWaiting: new Gauge({
      name: "kafka_partition_waiting",
      help: "1 while a partition waits on purpose, by reason (dependency, dead_letters).",
      labelNames: ["topic", "partition", "reason"],
      registers,
    }),
    circuitOpen: new Gauge({
      name: "circuit_breaker_open",
      help: "1 while calls to a dependency fail at once because it stopped answering.",
      labelNames: ["dependency"],
      registers,
    }),
    outboxPublishedTotal: new Counter({
      name: "outbox_published_total",
      help: "Events published from the outbox.",
      registers,
    }),
    claimsReconciledTotal: new Counter({
      name: "claims_reconciled_total",
      help: "Interrupted claims taken up, by outcome (finished, refused, failed); what failed is tried again.",
      labelNames: ["outcome"],
      registers,
    }),
    assignmentsRunOutTotal: new Counter({
      name: "assignments_run_out_total",
      help: "Assignments that were marked, by outcome: expired, or expiring (the player was told that it soon runs out).",
      labelNames: ["outcome"],
      registers,
    }),
    mailsTotal: new Counter({
      name: "mails_total",
      help: "Mails by kind and outcome (sent, refused, unneeded, failed, expired); what failed is tried again.",
      labelNames: ["kind", "outcome"],
      registers,
    }),
    openSockets: new Gauge({
      name: "websocket_open_connections",
      help: "WebSocket connections open now.",
      registers,
    }),
    socketClosesTotal: new Counter({
      name: "websocket_closes_total",
      help: "WebSocket connections that were refused or closed, by reason; client where it was theirs to say.",
      labelNames: ["reason"],
      registers,
    }),
    notificationsSentTotal: new Counter({
      name: "websocket_notifications_sent_total",
      help: "Notifications written to sockets.",
      registers,
    }),
  };
}

/** Longest time in milliseconds that a gauge may take to be read. */
const READ_TIMEOUT_MS = 2_000;

/**
 * Adds gauges that are read when they are asked for, so that they cost nothing while nobody asks. They belong to the
 * process that can read them. A failed read gives NaN: the old value would say that all is well.
 *
 * @param gauges help by name
 * @param read all of them at once
 */
export function addReadGauges<Name extends string>(
  metrics: Metrics,
  gauges: Record<Name, string>,
  read: () => Promise<Record<Name, number>>,
): void {
  let reading: Promise<Record<Name, number> | undefined> | undefined;
  const readOnce = () => {
    const timeout = delay(READ_TIMEOUT_MS, undefined, { ref: false });
    reading ??= Promise.race([read(), timeout])
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  for (const [name, help] of Object.entries(gauges) as [Name, string][]) {
    new Gauge({
      name,
      help,
      registers: [metrics.registry],
      async collect() {
        this.set((await readOnce())?.[name] ?? Number.NaN);
      },
    });
  }
}
