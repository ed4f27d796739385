import { Kafka, logLevel } from "kafkajs";
import type { Logger } from "../telemetry/log.ts";

export type { Kafka } from "kafkajs";

/**
 * @param brokers host:port of each
 * @param clientId shown in the brokers' logs
 * @param requestTimeoutMs deadline of one request to a broker; a consumer's has to be longer than its fetch waits
 */
export function connectKafka(brokers: string[], clientId: string, log: Logger, requestTimeoutMs = 10_000): Kafka {
  return new Kafka({
    brokers,
    clientId,
    connectionTimeout: 1_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, level, log: { message, logger: _logger, timestamp: _timestamp, ...fields } }) =>
        log[level === logLevel.ERROR ? "warn" : "info"]({ kafka: namespace, ...fields }, message),
  });
}

/** The errors of kafkajs all carry this name prefix; most mean that brokers or coordinators can't do it now. */
export function isKafkaError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith("KafkaJS");
}
