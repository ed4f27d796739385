import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl.meta({ description: "Promotions' database" }),
  USERS_GRPC_TARGET: field.grpcTarget.meta({ description: "every replica of Users; the client takes them in turn" }),
  SERVICE_TOKEN: field.secret.meta({ description: "shows Users who asks for a credit; the same everywhere" }),
  CURRENCY: field.currency,
  // An attempt that is still alive then would not count any more, so this is longer than its 6 s for an answer of the
  // database and 6.2 s for one of Users.
  STALE_AFTER_MS: field
    .wholeNumber(13_000, 3_600_000)
    .default(15_000)
    .meta({ description: "how long ago a claim's last attempt must have begun before the claim is taken over" }),
  INTERVAL_MS: field
    .wholeNumber(100, 60_000)
    .default(2_000)
    .meta({ description: "how often it looks for interrupted claims" }),
});
