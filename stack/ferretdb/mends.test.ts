import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import { MongoClient } from "mongodb";
import postgres from "postgres";
import { expect, type TestContext, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { servers } from "../../tests/support/servers.ts";
import { TOOLS } from "../bootstrap/paths.mjs";

const BINARY = join(TOOLS, "ferretdb");

/** An empty PostgreSQL database, with a file that names its URL. */
async function createBackend(context: TestContext) {
  const name = `test_ferretdb_${newId().replaceAll("-", "")}`;
  const admin = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${name}`);
  const url = new URL(servers.postgresAdminUrl);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 1 });
  const folder = await mkdtemp(join(tmpdir(), "ferretdb-"));
  const urlFile = join(folder, "url");
  await writeFile(urlFile, url.href);
  context.onTestFinished(async () => {
    await sql.end();
    await admin.unsafe(`drop database ${name} with (force)`);
    await admin.end();
    await rm(folder, { recursive: true });
  });
  return { sql, urlFile };
}

async function startFerretdb(context: TestContext, urlFile: string) {
  const address = `127.0.0.1:${await getPort()}`;
  const server = spawn(BINARY, [], {
    env: { LISTEN_ADDR: address, POSTGRESQL_URL_FILE: urlFile },
    stdio: "ignore",
  });
  const client = new MongoClient(`mongodb://${address}/?maxPoolSize=1`);
  const stop = async () => {
    await client.close();
    if (server.kill("SIGKILL")) await once(server, "exit");
  };
  context.onTestFinished(stop);
  return { client, stop, count: (database: string) => client.db(database).collection("things").countDocuments() };
}

// Where MongoDB is installed, FerretDB is not built.
test.runIf(existsSync(BINARY))(
  "a first look at PostgreSQL that fails half-way does not leave FerretDB with empty collections",
  async (context) => {
    const { sql, urlFile } = await createBackend(context);
    const before = await startFerretdb(context, urlFile);
    for (const database of ["one", "two"]) await before.client.db(database).collection("things").insertOne({});
    await before.stop();

    await sql`insert into two._ferretdb_database_metadata values ('"broken"')`;
    const { count } = await startFerretdb(context, urlFile);
    await expect(count("two")).rejects.toThrow("initCollections");
    await sql`delete from two._ferretdb_database_metadata where _jsonb = '"broken"'`;
    expect([await count("one"), await count("two")]).toEqual([1, 1]);
  },
);
