import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import postgres from "postgres";
import { StackError } from "../errors.ts";
import { HOST } from "../plan/ports.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "./context.ts";
import { type PostgresHome, preparePostgresHome } from "./postgres-home.ts";

/** One database per service, each with a role of its own that can't enter the others; FerretDB has one too. */
const DATABASES = ["users", "promotions", "ferretdb"] as const;

/** Enough for three replicas of everything, and then some. */
const CONNECTIONS_MAX = 300;

/** What is the same in every deployment; a test holds the container's settings against it. */
export const SERVER_SETTINGS: Readonly<Record<string, string | number>> = {
  max_connections: CONNECTIONS_MAX,
  shared_buffers: "128MB",
  // The outbox is vacuumed by what went through it, so the look for work must come often: 5,000 rows a second.
  autovacuum_naptime: "10s",
  timezone: "UTC",
  log_timezone: "UTC",
  // No values in the log: not in DETAIL, such as a key that exists already, nor as parameters or in a statement's text.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
  log_parameter_max_length: 0,
  log_parameter_max_length_on_error: 0,
};

type Role = "postgres" | (typeof DATABASES)[number];

/** @returns the URL of the role's own database */
export function postgresUrl(context: ServerContext, role: Role): string {
  return `postgres://${role}:${context.state.passwords[role]}@${HOST}:${portOf(context, "postgres")}/${role}`;
}

/**
 * Creates the cluster's files if there are none.
 *
 * @returns how to run the server
 */
export async function preparePostgres(context: ServerContext): Promise<ProcessSpec> {
  const home = preparePostgresHome(context.layout, context.state);
  const data = join(home.folder, "data");
  if (!existsSync(data)) await initialize(home, data, context.state.passwords.postgres);
  const settings = {
    ...SERVER_SETTINGS,
    listen_addresses: HOST,
    port: portOf(context, "postgres"),
    unix_socket_directories: "",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return {
    ...placeOf(context.layout, "postgres"),
    role: "postgres",
    tier: "infrastructure",
    command: join(home.bin, "postgres"),
    args: ["-D", data, ...flags],
    env: baseEnvironment(),
    cwd: data,
    user: home.user,
    port: portOf(context, "postgres"),
    // "Fast shutdown": rolls back what is open instead of waiting for clients to leave (server-shutdown.html).
    stopSignal: "SIGINT",
    probe: () => withConnection(postgresUrl(context, "postgres"), (sql) => sql`SELECT 1`),
  };
}

/** Creates the databases and their roles where they are missing, and sets the roles' passwords. */
export async function createDatabases(context: ServerContext): Promise<void> {
  await withConnection(postgresUrl(context, "postgres"), async (sql) => {
    await sql`REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC`;
    for (const name of DATABASES) {
      const [role] = await sql`SELECT 1 FROM pg_roles WHERE rolname = ${name}`;
      if (!role) await sql`CREATE ROLE ${sql(name)} LOGIN`;
      // Utility statements take no parameters; the password is of the URL-safe alphabet.
      await sql.unsafe(`ALTER ROLE "${name}" PASSWORD '${context.state.passwords[name]}'`);
      const [database] = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`;
      if (!database) await sql`CREATE DATABASE ${sql(name)} OWNER ${sql(name)}`;
      await sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${sql(name)} FROM PUBLIC`;
    }
  });
}

/** Under another name until it is whole, so that an interrupted run leaves nothing that looks like a cluster. */
async function initialize(home: PostgresHome, data: string, password: string): Promise<void> {
  const unfinished = `${data}.unfinished`;
  const passwordFile = join(home.folder, "password");
  rmSync(unfinished, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (home.user) chownSync(passwordFile, home.user.uid, home.user.gid);
  const options = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--encoding=UTF8"];
  try {
    await execa(join(home.bin, "initdb"), ["-D", unfinished, "--locale=C.UTF-8", "--no-sync", ...options], {
      cwd: home.folder,
      env: baseEnvironment(),
      extendEnv: false,
      all: true,
      ...home.user,
    });
    renameSync(unfinished, data);
  } catch (error) {
    throw new StackError(`PostgreSQL's initdb failed: ${(error as { all?: string }).all || (error as Error).message}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function withConnection(url: string, work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 3, fetch_types: false, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
