import { z } from "zod";
import { migrateDatabase } from "../../drizzle/migrate.ts";
import { field } from "../../lib/config.ts";
import { runJob } from "../../lib/process.ts";

const config = z.object({
  SERVICE: z.enum(["users", "promotions"], "must be users or promotions"),
  DATABASE_URL: field.postgresUrl,
});

await runJob(config, async ({ SERVICE, DATABASE_URL }) => {
  await migrateDatabase(SERVICE, DATABASE_URL);
  return `${SERVICE}: schema is up to date`;
});
