import { z } from "zod";
import { presentedEmailSchema } from "../../domain/users/passwords/credentials.ts";
import { field } from "../../lib/config.ts";

export const config = z.object({
  DATABASE_URL: field.postgresUrl.meta({ description: "Users' database" }),
  REDIS_URL: field.redisUrl.meta({ description: "sessions" }),
  EMAIL: presentedEmailSchema.meta({
    valueType: "e-mail address",
    description: "of the account whose second factor is lost",
  }),
});
