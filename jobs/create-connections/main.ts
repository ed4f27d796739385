import { z } from "zod";
import { newPasswordSchema } from "../../domain/users/credentials.ts";
import { field } from "../../lib/config.ts";
import { runJob } from "../../lib/process.ts";
import { createConnections } from "./connections.ts";

/** `{name}` in a value stands for the password of that name. */
const config = z.object({
  USERS_DATABASE_URL: field.postgresUrl,
  PROMOTIONS_DATABASE_URL: field.postgresUrl,
  REDIS_URL: field.redisUrl,
  MONGODB_URL: field.mongodbUrl,
  /** A line of PostgreSQL's password file (libpq-pgpass). */
  FERRETDB_PGPASS: z.string().optional(),
  /** Names of passwords that are in none of these, separated by commas. */
  PASSWORDS: z.string().default(""),
  /** Made once if it is not given. */
  ADMIN_PASSWORD: newPasswordSchema.optional(),
});

await runJob(config, async ({ PASSWORDS, ADMIN_PASSWORD, ...templates }) => {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("Usage: create-connections <folder>");
  const passwords = PASSWORDS.split(",").filter(Boolean);
  const written = await createConnections(folder, { templates, passwords, adminPassword: ADMIN_PASSWORD });
  return `${folder}: wrote ${written.join(", ")}`;
});
