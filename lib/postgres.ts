import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { errorCode } from "./errors.ts";

/** Milliseconds. A statement of a request has a deadline of its own, far below the request's. */
const STATEMENT_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 3_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** Seconds. A query waits for its turn to reconnect; postgres.js's own 20 s would be a hang, and a late recovery. */
const RECONNECT_WAIT_MAX_SECONDS = 0.5;

export type Database = PostgresJsDatabase<Record<string, never>>;
/** A transaction, or the database itself where a single statement is enough. */
export type Queryable = Pick<Database, "select" | "insert" | "update" | "delete" | "execute">;

export interface DatabaseHandle {
  db: Database;
  client: postgres.Sql;
  /** Resolves when the server answers. */
  check(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * A pool of connections.
 *
 * @param options.url of PostgreSQL
 * @param options.name shown in pg_stat_activity
 * @param options.connectionsMax size of the pool; never hold one across a remote call
 * @param options.idleInTransactionTimeoutMs after which the server ends a transaction whose client went silent; 0 is never
 * @param options.readOnly whether the server refuses every write
 */
export function connectDatabase(options: {
  url: string;
  name: string;
  connectionsMax?: number;
  statementTimeoutMs?: number;
  idleInTransactionTimeoutMs?: number;
  readOnly?: boolean;
}): DatabaseHandle {
  const client = postgres(options.url, {
    max: options.connectionsMax ?? 10,
    connect_timeout: 3,
    backoff: (failures) => Math.min(0.02 * 2 ** failures, RECONNECT_WAIT_MAX_SECONDS),
    idle_timeout: 0,
    max_lifetime: 60 * 30,
    onnotice: () => {},
    connection: {
      application_name: options.name,
      TimeZone: "UTC",
      statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? IDLE_IN_TRANSACTION_TIMEOUT_MS,
      ...(options.readOnly ? { default_transaction_read_only: true } : {}),
    },
  });
  return {
    db: drizzle({ client }),
    client,
    check: () => client`select 1`,
    close: () => client.end({ timeout: 5 }),
  };
}

/** Names of constraint violations that verbs turn into their own errors. */
export const PG_UNIQUE_VIOLATION = "23505";
export const PG_EXCLUSION_VIOLATION = "23P01";

/** @returns PostgreSQL's error below drizzle's wrapper, if there is one */
export function postgresError(error: unknown): { code: string; constraint_name?: string } | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === "PostgresError") return cause as Error & { code: string };
  }
  return undefined;
}

/**
 * SQLSTATE classes and codes that a later attempt may not meet: connection exceptions, deadlock and serialization
 * failure, lock and statement timeouts, insufficient resources, operator intervention, read-only (failover), I/O.
 * Source: PostgreSQL documentation, Appendix A.
 */
const RETRYABLE_SQLSTATE = /^(08...|40001|40P01|53...|55P03|57014|57P0.|25006|25P03|58...)$/;
/** postgres.js's own codes for a connection that is gone or can't be made. */
const RETRYABLE_DRIVER_CODE =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONN(REFUSED|RESET|ABORTED)|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH)$/;

/** @returns whether PostgreSQL could not do it now but may later, as opposed to never */
export function isPostgresUnavailable(error: unknown): boolean {
  const server = postgresError(error);
  if (server !== undefined) return RETRYABLE_SQLSTATE.test(server.code);
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (RETRYABLE_DRIVER_CODE.test(errorCode(cause) ?? "")) return true;
  }
  return false;
}
