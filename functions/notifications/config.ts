import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port,
  MONGODB_URL: field.mongodbUrl,
  JWKS_URL: field.httpUrl,
});
