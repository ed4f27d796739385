import { Redis, type RedisOptions, ReplyError } from "ioredis";
import { parseSentinelUrl, type SentinelTarget } from "./redis-sentinel.ts";
import type { Logger } from "./telemetry/log.ts";

/** Milliseconds after which a command that got no answer fails. */
const COMMAND_TIMEOUT_MS = 1_000;
/**
 * Milliseconds without an answer after which the connection is given up. Until a new one stands, commands fail at once:
 * this is the circuit breaker of a frozen Redis.
 */
const SILENCE_MAX_MS = 2_000;

export type { Redis } from "ioredis";

/**
 * A connection that comes back by itself. Commands fail at once while it is down: what uses Redis either works without
 * it or says so to its caller.
 *
 * @param url of a server; or of the Sentinels that know the primary, and then it follows a failover (`field.redisUrl`)
 * @param role "commands", or "subscriber" for pub/sub, whose subscriptions come back with the connection
 */
export function connectRedis(url: string, log: Logger, role: "commands" | "subscriber" = "commands"): Redis {
  const options: RedisOptions = {
    connectTimeout: 2_000,
    enableOfflineQueue: role === "subscriber",
    maxRetriesPerRequest: role === "subscriber" ? null : 0,
    ...(role === "commands" ? { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: SILENCE_MAX_MS } : {}),
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000),
    autoResubscribe: true,
  };
  const target = parseSentinelUrl(url);
  const redis = target === undefined ? new Redis(url, options) : new Redis({ ...options, ...sentinelOptions(target) });
  redis.on("error", (error) => log.warn({ err: error, role }, "redis"));
  return redis;
}

function sentinelOptions({ sentinels, name, password }: SentinelTarget): RedisOptions {
  return {
    sentinels,
    name,
    ...(password === undefined ? {} : { password, sentinelPassword: password }),
    // The list in the URL is whole, and its names outlive the addresses that Sentinels tell of each other.
    updateSentinels: false,
    // A primary that was frozen or cut off does not close its connections when another takes over; the Sentinels tell.
    failoverDetector: true,
    sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    sentinelRetryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
  };
}

/** Resolves when the first connection stands, or after `waitMs` without it. */
export async function awaitRedis(redis: Redis, waitMs = 2_000): Promise<void> {
  if (redis.status === "ready") return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    redis.once("ready", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Replies of a server that can't do it now but may later: loading, failing over, full, busy with a script. */
const RETRYABLE_REPLY = /^(LOADING|MASTERDOWN|READONLY|OOM|NOREPLICAS|MISCONF|BUSY|TRYAGAIN|CLUSTERDOWN)\b/;

/**
 * @param error what a command was rejected with
 * @returns whether Redis could not do it now, as opposed to refusing what is wrong with the command itself
 */
export function isRedisUnavailable(error: unknown): boolean {
  if (error instanceof ReplyError) return RETRYABLE_REPLY.test((error as Error).message);
  return error instanceof Error && !(error instanceof TypeError);
}
