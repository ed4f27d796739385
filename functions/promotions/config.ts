import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port.meta({ description: "HTTP" }),
  DATABASE_URL: field.postgresUrl.meta({ description: "Promotions' database" }),
  REDIS_URL: field.redisUrl.meta({ description: "tells which sessions have ended; counts wrong promotion codes" }),
  JWKS_URL: field.httpUrl.meta({ description: "Users' public keys" }),
  USERS_GRPC_TARGET: field.grpcTarget.meta({ description: "every replica of Users; the client takes them in turn" }),
  SERVICE_TOKEN: field.secret.meta({ description: "shows Users who asks for a credit; the same everywhere" }),
  CURRENCY: field.currency,
  REPORT_TIME_ZONE: field.reportTimeZone,
  RATE_LIMITS: field.rateLimits,
  APPROVAL_THRESHOLD_MINOR: field.wholeNumber(0, Number.MAX_SAFE_INTEGER).optional().meta({
    description:
      "minor units that a promotion may cost at most without the approval of a second person; without it none is needed. The same in all replicas",
  }),
  MAX_OPEN_PROMOTIONS_PER_PLAYER: field.wholeNumber(1, 10_000).optional().meta({
    description:
      "promotions that a player has not claimed and still can; no more are assigned. The same in all replicas",
  }),
});
