import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { createCircuitBreaker, type OnCircuitChange } from "./circuit-breaker.ts";
import { errorCode } from "./errors.ts";
import { createSemaphore } from "./semaphore.ts";

/** Milliseconds. A statement of a request has a deadline of its own, far below the request's. */
const STATEMENT_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 3_000;
const CLIENT_SILENCE_MAX_MS = 10_000;
/**
 * Milliseconds beyond its statement timeout for which a server may be silent while a statement is under way. Then the
 * connection is given up: the server or the network is frozen. One that is listening or idle may be silent.
 */
const SILENCE_MARGIN_MS = 1_000;
/** Milliseconds to wait for a connection of the pool, so that a queue in front of a frozen server stays short. */
const POOL_WAIT_MAX_MS = 2_000;
/** Seconds for what is still under way when the pool closes; together with a last hang, less than a process may drain. */
const CLOSE_TIMEOUT_SECONDS = 2;
/** Seconds. A query waits for its turn to reconnect; postgres.js's own 20 s would be a hang, and a late recovery. */
const RECONNECT_WAIT_MAX_SECONDS = 0.5;

export type Database = PostgresJsDatabase<Record<string, never>>;
/** A transaction, or the database itself where a single statement is enough. */
export type Queryable = Pick<Database, "select" | "insert" | "update" | "delete" | "execute">;

export interface DatabaseHandle {
  db: Database;
  client: postgres.Sql;
  /** Resolves when the server answers; a call like any other, so it is also what probes an open circuit. */
  check(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * A pool of connections. Whatever is asked of it ends: it waits for a connection for POOL_WAIT_MAX_MS, a statement for
 * its timeout and SILENCE_MARGIN_MS, and not at all while the circuit is open (docs/adr/0012-deadlines-and-breakers.md). A
 * statement that was cut off may have happened.
 *
 * @param options.url of PostgreSQL
 * @param options.name shown in pg_stat_activity
 * @param options.connectionsMax size of the pool; never hold one across a remote call
 * @param options.clientSilenceMaxMs after which the server takes a client for dead that keeps a transaction waiting, or
 * does not take what is sent to it; the transaction ends and its locks are free. 0 is never
 * @param options.readOnly whether the server refuses every write
 * @param options.onCircuitChange told when the server stops answering, and when it answers again
 */
export function connectDatabase(options: {
  url: string;
  name: string;
  connectionsMax?: number;
  statementTimeoutMs?: number;
  clientSilenceMaxMs?: number;
  readOnly?: boolean;
  onCircuitChange?: OnCircuitChange;
}): DatabaseHandle {
  const {
    connectionsMax = 10,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    clientSilenceMaxMs = CLIENT_SILENCE_MAX_MS,
  } = options;
  // Options that postgres.js's types don't know; the first is of our patch.
  const untyped: object = {
    query_timeout: (statementTimeoutMs + SILENCE_MARGIN_MS) / 1_000,
    // A statement waits for a connection of its own: sent after one that is not answered yet, it would share its end.
    max_pipeline: 0,
  };
  const client = postgres(options.url, {
    ...untyped,
    max: connectionsMax,
    connect_timeout: 3,
    backoff: (failures) => Math.min(0.02 * 2 ** failures, RECONNECT_WAIT_MAX_SECONDS),
    idle_timeout: 0,
    max_lifetime: 60 * 30,
    onnotice: () => {},
    connection: {
      application_name: options.name,
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: clientSilenceMaxMs,
      // A client that froze before it has read an answer is not idle: the server is still sending.
      tcp_user_timeout: clientSilenceMaxMs,
      ...(options.readOnly ? { default_transaction_read_only: true } : {}),
    },
  });
  // As many as there are connections: what waits, waits here and not in postgres.js's queue, which has no bound. So what
  // is refused for waiting too long was never sent.
  const inTurn = createSemaphore(
    { runningMax: connectionsMax, waitingMax: Number.POSITIVE_INFINITY, waitMsMax: POOL_WAIT_MAX_MS },
    () => new PoolExhaustedError(),
  );
  const breaker = createCircuitBreaker("postgres", isHang, options.onCircuitChange);
  const guard: Guard = (call) => inTurn(() => breaker(call));
  return {
    db: drizzle({ client: guarded(client, guard) }),
    client,
    check: () => guard(() => client`select 1`),
    close: () => client.end({ timeout: CLOSE_TIMEOUT_SECONDS }),
  };
}

/**
 * A statement that drizzle builds once per database and not at each call, for those that are called most: building takes as
 * long as sending.
 *
 * @param build a query with `sql.placeholder` where its values go, and `.prepare(name)` at its end
 * @returns that query of a database, to be called with `execute(values)`
 */
export function builtOnce<Db extends object, Query>(build: (db: Db) => Query): (db: Db) => Query {
  const built = new WeakMap<Db, Query>();
  return (db) => {
    const query = built.get(db) ?? build(db);
    built.set(db, query);
    return query;
  };
}

class PoolExhaustedError extends Error {
  override name = "PoolExhaustedError";
  readonly code = "POOL_EXHAUSTED";
  constructor() {
    super(`no connection of the pool was free for ${POOL_WAIT_MAX_MS} ms`);
  }
}

type Guard = <T>(call: () => PromiseLike<T>) => Promise<T>;

/**
 * @returns the client as drizzle uses it, with the guard before each statement and each transaction as a whole, and every
 * statement prepared
 */
function guarded(client: postgres.Sql, guard: Guard): postgres.Sql {
  const unsafe = (...statement: Parameters<postgres.Sql["unsafe"]>) => {
    const query = unsafePrepared(client, statement);
    // postgres.js sends a query a turn later than it is awaited, so that `values` is still in time.
    const answer = guard(() => query);
    return Object.assign(answer, {
      values() {
        query.values();
        return answer;
      },
    });
  };
  const begin = (work: (tx: postgres.TransactionSql) => unknown) =>
    guard(() =>
      client.begin((tx) =>
        work(overriding(tx, { unsafe: (...statement: Statement) => unsafePrepared(tx, statement) })),
      ),
    );
  return overriding(client, { unsafe, begin });
}

type Statement = Parameters<postgres.ISql["unsafe"]>;

/**
 * What drizzle sends without a name, under one: PostgreSQL parses and plans it once per connection instead of each time, and
 * its parameters' types need not be asked for in a round trip of their own. postgres.js keeps every text that it has seen,
 * so texts must not grow with the number of values: send an array, or JSON. `?prepare=false` in the URL turns it off, for a
 * pooler that hands each transaction another server.
 */
const unsafePrepared = (sql: Pick<postgres.ISql, "unsafe">, [text, values, options]: Statement) =>
  sql.unsafe(text, values, { ...options, prepare: true });

function overriding<T extends object>(target: T, overrides: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get: (from, property) => (property in overrides ? overrides[property as keyof T] : Reflect.get(from, property)),
  });
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
/** Codes of postgres.js and of ours for a connection that is gone, silent, or can't be had. */
const RETRYABLE_DRIVER_CODE =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|(CONNECT|QUERY)_TIMEOUT|CIRCUIT_OPEN|POOL_EXHAUSTED|ECONN(REFUSED|RESET|ABORTED)|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH)$/;

/** Codes of a connection on which there was no answer in time. */
const HANG_CODE = /^((CONNECT|QUERY)_TIMEOUT|ETIMEDOUT)$/;

function isHang(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (HANG_CODE.test(errorCode(cause) ?? "")) return true;
  }
  return false;
}

/** @returns whether PostgreSQL could not do it now but may later, as opposed to never */
export function isPostgresUnavailable(error: unknown): boolean {
  const server = postgresError(error);
  if (server !== undefined) return RETRYABLE_SQLSTATE.test(server.code);
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (RETRYABLE_DRIVER_CODE.test(errorCode(cause) ?? "")) return true;
  }
  return false;
}
