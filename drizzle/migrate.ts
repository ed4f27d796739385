import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";

/** Advisory lock held while migrating; any constant of our own. */
const MIGRATION_LOCK = 7_013_000;

/** Beside this file in the sources; beside `dist/jobs/migrate/main.js` it is copied to `dist/drizzle`. */
function migrationsFolder(service: string): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = [path.join(here, service, "migrations"), path.join(here, "../../drizzle", service, "migrations")];
  const folder = candidates.find((candidate) => existsSync(path.join(candidate, "meta/_journal.json")));
  if (folder === undefined) throw new Error(`No migrations for ${service} in ${candidates.join(" or ")}`);
  return folder;
}

/**
 * Brings a database to the newest schema. Several may call it at once: a session lock makes them take turns, and who
 * comes later finds nothing to do.
 *
 * @param service whose schema
 * @param url of the database, with a role that owns it
 */
export async function migrateDatabase(service: "users" | "promotions", url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5 });
  try {
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle({ client }), { migrationsFolder: migrationsFolder(service) });
  } finally {
    await client.end({ timeout: 5 });
  }
}
