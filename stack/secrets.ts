import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "./files.ts";
import type { ServerContext } from "./infrastructure/context.ts";
import { smtpUrl } from "./infrastructure/mail.ts";
import { type MongodbKind, mongodbUrl } from "./infrastructure/mongodb.ts";
import { postgresUrl } from "./infrastructure/postgres.ts";
import { redisUrl } from "./infrastructure/redis.ts";

/**
 * Writes what this stack knows as files that only their owner may read; keys and tokens are the job `create-secrets`'s.
 * Files, since a process's environment is seen by everyone who may see the process.
 */
export function writeConnectionSecrets(context: ServerContext, mongodb: MongodbKind): void {
  const secrets: Record<string, string> = {
    "users-database-url": postgresUrl(context, "users"),
    "promotions-database-url": postgresUrl(context, "promotions"),
    "redis-url": redisUrl(context),
    "mongodb-url": mongodbUrl(context, mongodb),
    "smtp-url": smtpUrl(context),
    "admin-password": context.state.admin.password,
  };
  mkdirSync(context.layout.secrets, { recursive: true, mode: 0o700 });
  for (const [name, value] of Object.entries(secrets)) {
    writeFileAtomically(join(context.layout.secrets, name), `${value}\n`);
  }
}
