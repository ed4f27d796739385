import postgres from "postgres";
import { afterAll, expect, test } from "vitest";
import { migrateDatabase } from "../../drizzle/migrate.ts";
import { newId } from "../../lib/ids.ts";
import { servers } from "../support/servers.ts";

const admin = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
afterAll(() => admin.end());

test.each(["users", "promotions"] as const)(
  "%s: three replicas that migrate an empty database at once all succeed",
  async (service) => {
    const name = `migrations_${newId().replaceAll("-", "")}`;
    await admin.unsafe(`create database ${name}`);
    const url = new URL(servers.postgresAdminUrl);
    url.pathname = `/${name}`;
    await Promise.all([1, 2, 3].map(() => migrateDatabase(service, url.href)));
    const client = postgres(url.href, { max: 1 });
    const tables = await client`select table_name from information_schema.tables where table_schema = 'public'`;
    const applied = await client`select hash from drizzle.__drizzle_migrations`;
    await client.end();
    await admin.unsafe(`drop database ${name} with (force)`);
    expect(tables.map((row) => row.table_name)).toContain("outbox");
    expect(new Set(applied.map((row) => row.hash)).size).toBe(applied.length);
  },
);

test("each service's role can't connect to the other's database", async () => {
  const url = new URL(servers.usersDatabaseUrl);
  url.pathname = new URL(servers.promotionsDatabaseUrl).pathname;
  const client = postgres(url.href, { max: 1 });
  await expect(client`select 1`).rejects.toThrow(/permission denied for database/);
  await client.end();
});
