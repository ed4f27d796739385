import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import getPort from "get-port";
import { type Db, MongoClient } from "mongodb";
import postgres from "postgres";
import { type Stack, startStack } from "../../stack/index.ts";
import { prepareNginx } from "../../stack/infrastructure/nginx.ts";
import { layoutOf } from "../../stack/plan/layout.ts";
import { launch } from "../../stack/supervisor/launch.ts";
import { until } from "../../tests/support/until.ts";

export type PostgresSql = postgres.Sql;

/** The system under the bench, one of everything, with ways past its doors. */
export interface BenchSystem {
  stack: Stack;
  users: PostgresSql;
  promotions: PostgresSql;
  documents: Db;
  /** The folder of its secrets. */
  secrets: string;
  /** The pid of each process by name, such as `promotions-1` or `postgres`. */
  pids(): Record<string, number>;
  close(): Promise<void>;
}

/**
 * Starts a system of its own in a folder of its own.
 *
 * @param signal gives the start up: what was started is stopped
 */
export async function startSystem(signal: AbortSignal): Promise<BenchSystem> {
  const dir = mkdtempSync(path.join(tmpdir(), "casino-bench-"));
  const stack = await startStack({ dir, port: await getPort(), signal });
  const { usersDatabaseUrl, promotionsDatabaseUrl, mongodbUrl } = stack.endpoints;
  const [users, promotions] = [usersDatabaseUrl, promotionsDatabaseUrl].map((url) =>
    postgres(url, { max: 2, onnotice: () => {} }),
  ) as [PostgresSql, PostgresSql];
  const mongo = await MongoClient.connect(mongodbUrl);
  return {
    stack,
    users,
    promotions,
    documents: mongo.db(),
    secrets: layoutOf(dir).secrets,
    pids: () => Object.fromEntries(stack.processes().flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid]]))),
    async close() {
      await Promise.all([users.end(), promotions.end(), mongo.close()]);
      await stack.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A bare counterpart behind an nginx of its own that is configured like ours. */
export interface Bare {
  url: string;
  pids(): Record<string, number>;
  close(): Promise<void>;
}

/** Starts the servers of `bench/bare/` on the databases of a system. */
export async function startBare({ stack, secrets }: BenchSystem): Promise<Bare> {
  const [publicPort, users, grpc, promotions, notifications] = (await Promise.all(
    Array.from({ length: 5 }, () => getPort()),
  )) as [number, number, number, number, number];
  const env = {
    SIGNING_KEYS: path.join(secrets, "jwt-signing-keys.json"),
    USERS_DATABASE_URL: stack.endpoints.usersDatabaseUrl,
    PROMOTIONS_DATABASE_URL: stack.endpoints.promotionsDatabaseUrl,
    MONGODB_URL: stack.endpoints.mongodbUrl,
    USERS_PORT: String(users),
    GRPC_PORT: String(grpc),
    PROMOTIONS_PORT: String(promotions),
    NOTIFICATIONS_PORT: String(notifications),
  };
  const servers = ["users", "promotions", "notifications"].map((name) => startServer(name, env));
  const dir = mkdtempSync(path.join(tmpdir(), "casino-bare-"));
  const context = { layout: layoutOf(dir), state: undefined as never, ports: {} };
  const nginx = launch(
    prepareNginx(
      context,
      publicPort,
      {
        users: [users],
        promotions: [promotions],
        notifications: [notifications],
        gateway: [notifications],
      },
      "off",
    ),
  );
  const url = `http://127.0.0.1:${publicPort}`;
  const close = async () => {
    for (const { child } of servers) child.kill("SIGKILL");
    process.kill(nginx.pid as number, "SIGQUIT");
    await nginx.exited;
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await Promise.all(servers.map(({ ready }) => ready));
    await until("its nginx answers", async () => (await fetch(url)).ok);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    pids: () => Object.fromEntries(servers.map(({ name, child }) => [`bare ${name}`, child.pid as number])),
    close,
  };
}

function startServer(name: string, env: Record<string, string>) {
  const file = path.join(import.meta.dirname, "../bare", `${name}.ts`);
  const child = spawn(process.execPath, [file], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ready = Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    once(child, "exit").then(() => Promise.reject(new Error(`bench/bare/${name}.ts ended before it was ready`))),
  ]);
  return { name, child, ready };
}
