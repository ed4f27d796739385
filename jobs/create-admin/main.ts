import { createAdmin } from "../../domain/users/accounts/create-admin.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runJob } from "../../lib/process.ts";
import { config } from "./config.ts";

await runJob(config, async ({ DATABASE_URL, ADMIN_EMAIL, ADMIN_PASSWORD, CURRENCY }) => {
  const database = connectDatabase({ url: DATABASE_URL, name: "create-admin", connectionsMax: 1 });
  try {
    const ctx = { db: database.db, currency: CURRENCY };
    const isNew = await createAdmin(ctx, { email: ADMIN_EMAIL, password: ADMIN_PASSWORD });
    return isNew ? "the admin was created" : "the admin exists already";
  } finally {
    await database.close();
  }
});
