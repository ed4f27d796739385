import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port,
  DATABASE_URL: field.postgresUrl,
  JWKS_URL: field.httpUrl,
  USERS_GRPC_TARGET: field.grpcTarget,
  SERVICE_TOKEN: field.secret,
  CURRENCY: field.currency,
});
