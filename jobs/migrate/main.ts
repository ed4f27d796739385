import { z } from "zod";
import { findSharedEmails } from "../../domain/users/find-shared-emails.ts";
import { migrateDatabase } from "../../drizzle/migrate.ts";
import { field } from "../../lib/config.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runJob } from "../../lib/process.ts";

const config = z.object({
  SERVICE: z.enum(["users", "promotions"], "must be users or promotions"),
  DATABASE_URL: field.postgresUrl,
});

await runJob(config, async ({ SERVICE, DATABASE_URL }) => {
  await migrateDatabase(SERVICE, DATABASE_URL);
  const shared = SERVICE === "users" ? await listSharedEmails(DATABASE_URL) : [];
  return [`${SERVICE}: schema is up to date`, ...shared].join("\n");
});

/** Says which accounts the one form of addresses makes doubtful; they are the casino's to sort out. */
async function listSharedEmails(url: string): Promise<string[]> {
  const database = connectDatabase({ url, name: "migrate", connectionsMax: 1 });
  try {
    const shared = await findSharedEmails({ db: database.db });
    return shared.map((ids) => `users: one e-mail address in several forms, nothing was changed: ${ids.join(", ")}`);
  } finally {
    await database.close();
  }
}
