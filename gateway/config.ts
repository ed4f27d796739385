import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port.meta({ description: "WebSocket" }),
  MONGODB_URL: field.mongodbUrl.meta({ description: "the document database: notifications" }),
  REDIS_URL: field.redisUrl.meta({ description: "tells of new notifications, and which sessions have ended" }),
  JWKS_URL: field.httpUrl.meta({ description: "Users' public keys" }),
  // uWebSockets.js reads it from the environment itself, where it would take 4,096; so it is required, and no file will do.
  UWS_HTTP_MAX_HEADERS_SIZE: field.wholeNumber(40_960, 2 ** 20).meta({
    description:
      "bytes that a request's line and headers may have: more than the proxy takes, which has an answer of its own; not as a file",
  }),
  CONNECTIONS_PER_PLAYER_MAX: field
    .wholeNumber(1, 10_000)
    .default(10)
    .meta({ description: "sockets that one player may have open at one gateway" }),
  MAX_BUFFERED_BYTES: field
    .wholeNumber(1_024, 2 ** 30)
    .default(1024 * 1024)
    .meta({ description: "unsent bytes of one socket" }),
  SLOW_READER_MS: field
    .wholeNumber(100, 600_000)
    .default(10_000)
    .meta({ description: "how long a socket may take to read what is buffered for it" }),
  RESYNC_INTERVAL_MS: field
    .wholeNumber(1_000, 3_600_000)
    .default(60_000)
    .meta({ description: "how often a socket looks for news that Redis did not tell of" }),
  // The bounds are uWebSockets.js's.
  IDLE_TIMEOUT_SECONDS: field
    .wholeNumber(8, 960)
    .default(60)
    .meta({ description: "a socket that is silent for so long is dead; pings keep a living one from it" }),
});
