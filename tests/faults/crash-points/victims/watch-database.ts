import { getTableName, type SQL, type Table } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Database } from "../../../../lib/postgres.ts";
import type { Reach } from "./steps.ts";

const dialect = new PgDialect();
const WRITES = ["insert", "update", "delete"];

/**
 * The database, with a step before each write ("insert outbox"), and four around each transaction: "begin", "commit"
 * (all statements are done and the commit is not sent) and "committed".
 */
export function watchDatabase(db: Database, reach: Reach): Database {
  const transaction: Database["transaction"] = async (work, config) => {
    reach("begin");
    const result = await db.transaction(async (tx) => {
      const value = await work(watchWrites(tx, reach));
      reach("commit");
      return value;
    }, config);
    reach("committed");
    return result;
  };
  return new Proxy(watchWrites(db, reach), {
    get: (target, name) => (name === "transaction" ? transaction : Reflect.get(target, name)),
  });
}

/** @returns what a statement that is written as text writes, as the others are named; undefined if nothing */
function writeOf(statement: SQL): string | undefined {
  const [, verb, table] =
    /^\s*(?:with \w+ as \(\s*)?(insert|update|delete)\s+(?:into\s+|from\s+)?"(\w+)"/.exec(
      dialect.sqlToQuery(statement).sql,
    ) ?? [];
  return verb && `${verb} ${table}`;
}

function watchWrites<Target extends object>(queries: Target, reach: Reach): Target {
  return new Proxy(queries, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const write = WRITES.includes(String(name))
          ? `${String(name)} ${getTableName(args[0] as Table)}`
          : name === "execute" && writeOf(args[0] as SQL);
        if (write) reach(write);
        return value.apply(target, args);
      };
    },
  });
}
