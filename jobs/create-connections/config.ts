import { z } from "zod";
import { newPasswordSchema } from "../../domain/users/passwords/credentials.ts";
import { field } from "../../lib/config.ts";

/** What a URL is made from holds no password yet: `{name}` stands for the one of that name. */
const template = (what: string) => ({ isSecret: false, description: `${what}, with \`{name}\` for a password` });

export const config = z.object({
  USERS_DATABASE_URL: field.postgresUrl.meta(template("Users' database")),
  PROMOTIONS_DATABASE_URL: field.postgresUrl.meta(template("Promotions' database")),
  REDIS_URL: field.redisUrl.meta(template("Redis")),
  MONGODB_URL: field.mongodbUrl.meta(template("the document database")),
  SMTP_URL: field.smtpUrl.meta(template("the mail server")),
  FERRETDB_PGPASS: z
    .string()
    .optional()
    .meta({ ...template("FerretDB's database"), valueType: "line of a libpq password file" }),
  PASSWORDS: z
    .string()
    .default("")
    .meta({ valueType: "names, separated by commas", description: "passwords that are in none of these" }),
  ADMIN_PASSWORD: newPasswordSchema.optional().meta({
    valueType: "password",
    isSecret: true,
    description: "of the first admin; made once if it is not given",
  }),
});
