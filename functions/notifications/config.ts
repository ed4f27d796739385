import { z } from "zod";
import { baseConfig, field, tokenConfig } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  ...tokenConfig,
  PORT: field.port.meta({ description: "HTTP" }),
  MONGODB_URL: field.mongodbUrl.meta({ description: "the document database: notifications" }),
  REDIS_URL: field.redisUrl.meta({ description: "tells which sessions have ended" }),
  JWKS_URL: field.httpUrl.meta({ description: "Users' public keys" }),
});
