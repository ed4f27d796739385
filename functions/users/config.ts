import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";
import { signingKeysSchema } from "./sessions/signing-keys.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port.meta({ description: "HTTP" }),
  GRPC_PORT: field.port.meta({ description: "gRPC, for Promotions" }),
  DATABASE_URL: field.postgresUrl.meta({ description: "Users' database" }),
  REDIS_URL: field.redisUrl.meta({ description: "sessions" }),
  JWT_SIGNING_KEYS: signingKeysSchema.meta({
    valueType: "JSON of a JWKS of private keys",
    isSecret: true,
    description: "sign access tokens: the first one signs, all are published",
  }),
  REFRESH_TOKEN_KEY: field.secret.meta({ description: "makes refresh tokens; another one ends every session" }),
  SECOND_FACTOR_KEY: field.secret.meta({
    description: "seals second factors and their recovery codes; another one makes all of them useless",
  }),
  STAFF_SECOND_FACTOR: z.enum(["on", "off"]).default("on").meta({
    description: "whether staff and admins need a second factor; sessions without it can only set one up and log out",
  }),
  REQUIRE_VERIFIED_EMAIL: z.enum(["on", "off"]).default("off").meta({
    description: "whether players have to verify their e-mail address before they can log in",
  }),
  MAIL_LINK_KEY: field.mailLinkKey,
  SERVICE_TOKEN: field.secret.meta({ description: "shows Users who asks for a credit; the same everywhere" }),
  CURRENCY: field.currency,
  REPORT_TIME_ZONE: field.reportTimeZone,
  RATE_LIMITS: field.rateLimits,
  PUBLIC_URL: field.httpUrl.meta({
    description: "where clients reach the system; decides whether cookies may travel without TLS",
  }),
});
