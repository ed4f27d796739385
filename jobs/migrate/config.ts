import { z } from "zod";
import { field } from "../../lib/config.ts";

export const config = z.object({
  SERVICE: z.enum(["users", "promotions"], "must be users or promotions").meta({ description: "whose schema" }),
  DATABASE_URL: field.postgresUrl.meta({ description: "the service's database" }),
});
