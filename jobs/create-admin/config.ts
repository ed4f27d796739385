import { z } from "zod";
import { emailSchema, newPasswordSchema } from "../../domain/users/passwords/credentials.ts";
import { field } from "../../lib/config.ts";

export const config = z.object({
  DATABASE_URL: field.postgresUrl.meta({ description: "Users' database" }),
  ADMIN_EMAIL: emailSchema.meta({ valueType: "e-mail address", description: "of the first admin" }),
  ADMIN_PASSWORD: newPasswordSchema.meta({
    valueType: "password",
    isSecret: true,
    description: "of the first admin; one who exists keeps theirs",
  }),
  CURRENCY: field.currency,
});
