import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  /** of Promotions */
  DATABASE_URL: field.postgresUrl,
  USERS_GRPC_TARGET: field.grpcTarget,
  SERVICE_TOKEN: field.secret,
  CURRENCY: field.currency,
  /** How old a claim must be before it is taken up: longer than all attempts of a live one together (about 9 s). */
  STALE_AFTER_MS: field.wholeNumber(1_000, 3_600_000).default(15_000),
  INTERVAL_MS: field.wholeNumber(100, 60_000).default(2_000),
});
