import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";
import { signingKeysSchema } from "./signing-keys.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port,
  GRPC_PORT: field.port,
  DATABASE_URL: field.postgresUrl,
  REDIS_URL: field.redisUrl,
  JWT_SIGNING_KEYS: signingKeysSchema,
  REFRESH_TOKEN_KEY: field.secret,
  SERVICE_TOKEN: field.secret,
  CURRENCY: field.currency,
  /** Where clients reach us; decides whether cookies may travel without TLS. */
  PUBLIC_URL: field.httpUrl,
});
