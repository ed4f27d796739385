import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  /** of Promotions */
  DATABASE_URL: field.postgresUrl,
  USERS_GRPC_TARGET: field.grpcTarget,
  SERVICE_TOKEN: field.secret,
  CURRENCY: field.currency,
  /**
   * How long ago a claim's last attempt must have begun before the claim is taken over. An attempt that is still alive
   * then would not count any more, so this is longer than its 6 s for an answer of the database and 6.2 s for one of Users.
   */
  STALE_AFTER_MS: field.wholeNumber(13_000, 3_600_000).default(15_000),
  INTERVAL_MS: field.wholeNumber(100, 60_000).default(2_000),
});
