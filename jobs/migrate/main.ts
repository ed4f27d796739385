import { findSharedEmails } from "../../domain/users/accounts/find-shared-emails.ts";
import { migrateDatabase } from "../../drizzle/migrate.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runJob } from "../../lib/process.ts";
import { config } from "./config.ts";

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
