import { existsSync } from "node:fs";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import { which } from "../bootstrap/command.mjs";
import { TOOLS } from "../bootstrap/paths.mjs";
import { StackError } from "../errors.ts";
import { makePrivateFolder, writeFileAtomically } from "../files.ts";
import { HOST } from "../plan/ports.ts";
import { exchange } from "../supervisor/probes.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "./context.ts";
import { postgresUrl } from "./postgres.ts";

/** Which server speaks MongoDB's protocol: one that runs already, or one of ours. */
export type MongodbKind = { kind: "external"; url: string } | LocalMongodb;
type LocalMongodb = { kind: "mongod"; program: string } | { kind: "ferretdb" };

/** @returns the document database that this machine has: MONGODB_URL, else mongod, else FerretDB */
export function detectMongodb(env: Record<string, string | undefined>): MongodbKind {
  if (env.MONGODB_URL) return { kind: "external", url: env.MONGODB_URL };
  const program = which("mongod");
  return program ? { kind: "mongod", program } : { kind: "ferretdb" };
}

/**
 * FerretDB 1.24 holds one of its 50 PostgreSQL connections while it asks for a second one, so many updates at once wait
 * for each other for ever. With so few connections per client process they can't.
 */
const FERRETDB_POOL_SIZE = 5;

/** @returns the URL of the notifications' database */
export function mongodbUrl(context: ServerContext, mongodb: MongodbKind): string {
  if (mongodb.kind === "external") return mongodb.url;
  const url = `mongodb://${HOST}:${portOf(context, "mongodb")}/notifications`;
  return mongodb.kind === "ferretdb" ? `${url}?maxPoolSize=${FERRETDB_POOL_SIZE}` : url;
}

/** @throws StackError when the server that MONGODB_URL names does not answer */
export async function requireExternalMongodb(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  try {
    await client.db("admin").command({ ping: 1 });
  } catch (error) {
    throw new StackError(`The server that MONGODB_URL names does not answer: ${(error as Error).message}`);
  } finally {
    await client.close();
  }
}

/** @returns how to run the server */
export function prepareMongodb(context: ServerContext, mongodb: LocalMongodb): ProcessSpec {
  const port = portOf(context, "mongodb");
  const place = { ...placeOf(context.layout, "mongodb"), cwd: join(context.layout.dir, "mongodb") };
  makePrivateFolder(place.cwd);
  return {
    ...place,
    ...(mongodb.kind === "mongod" ? mongod(mongodb.program, place.cwd, port) : ferretdb(context, place.cwd, port)),
    role: "mongodb",
    tier: "infrastructure",
    port,
    stopSignal: "SIGTERM",
    probe: (signal) => ping(port, signal),
  };
}

function mongod(command: string, folder: string, port: number) {
  return { command, args: ["--dbpath", folder, "--bind_ip", HOST, "--port", String(port)], env: baseEnvironment() };
}

function ferretdb(context: ServerContext, folder: string, port: number) {
  const command = join(TOOLS, "ferretdb");
  if (!existsSync(command)) throw new StackError("FerretDB is not built; start with npm start, which builds it");
  const urlFile = join(folder, "postgresql-url");
  writeFileAtomically(urlFile, postgresUrl(context, "ferretdb"));
  return {
    command,
    args: [],
    env: { ...baseEnvironment(), LISTEN_ADDR: `${HOST}:${port}`, POSTGRESQL_URL_FILE: urlFile },
  };
}

/** `{ping: 1, $db: "admin"}` as an OP_MSG (mongodb.com/docs/manual/reference/mongodb-wire-protocol). */
async function ping(port: number, signal: AbortSignal): Promise<void> {
  const document = Buffer.from("\x00\x00\x00\x00\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0", "latin1");
  document.writeInt32LE(document.length);
  const OP_MSG = 2013;
  const header = Buffer.alloc(21);
  header.writeInt32LE(header.length + document.length);
  header.writeInt32LE(1, 4);
  header.writeInt32LE(OP_MSG, 12);
  const isWhole = (answer: Buffer) => answer.length >= 4 && answer.length >= answer.readInt32LE(0);
  const answer = await exchange(port, Buffer.concat([header, document]), isWhole, signal);
  if (answer.includes("errmsg")) throw new Error("the document database refuses a ping");
}
