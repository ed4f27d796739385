import postgres from "postgres";
import { migrateDatabase } from "../../drizzle/migrate.ts";
import { newId } from "../../lib/ids.ts";
import { connectDatabase, type DatabaseHandle } from "../../lib/postgres.ts";
import { servers } from "./servers.ts";

/**
 * A migrated database of its own for one test file, on the real PostgreSQL.
 *
 * @returns the handle; its `drop` closes the pool and drops the database: call it in `afterAll`
 */
export async function createTestDatabase(
  service: "users" | "promotions",
): Promise<DatabaseHandle & { url: string; drop: () => Promise<void> }> {
  const name = `test_${service}_${newId().replaceAll("-", "")}`;
  const admin = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${name}`);
  const url = new URL(servers.postgresAdminUrl);
  url.pathname = `/${name}`;
  await migrateDatabase(service, url.href);
  const handle = connectDatabase({ url: url.href, name: "test" });
  return {
    ...handle,
    url: url.href,
    async drop() {
      await handle.close();
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
