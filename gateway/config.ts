import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port,
  MONGODB_URL: field.mongodbUrl,
  REDIS_URL: field.redisUrl,
  JWKS_URL: field.httpUrl,
  /**
   * Bytes that a request's line and headers may have. uWebSockets.js reads it from the environment itself, where it would
   * take 4,096; so it is required: it has to be more than the proxy hands on, which bounds them with an answer of its own.
   */
  UWS_HTTP_MAX_HEADERS_SIZE: field.wholeNumber(40_960, 2 ** 20),
  /** Sockets that one player may have open at this edge. */
  CONNECTIONS_PER_PLAYER_MAX: field.wholeNumber(1, 10_000).default(10),
  /** Unsent bytes of one socket. */
  MAX_BUFFERED_BYTES: field.wholeNumber(1_024, 2 ** 30).default(1024 * 1024),
  /** How long a socket may take to read what is buffered for it. */
  SLOW_READER_MS: field.wholeNumber(100, 600_000).default(10_000),
  /** How often a socket looks for news that Redis did not tell of. */
  RESYNC_INTERVAL_MS: field.wholeNumber(1_000, 3_600_000).default(60_000),
  /** A socket that has been silent for so long is dead; pings keep a living one from it. The bounds are uWebSockets.js's. */
  IDLE_TIMEOUT_SECONDS: field.wholeNumber(8, 960).default(60),
});
