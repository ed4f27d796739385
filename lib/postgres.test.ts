import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase } from "../tests/support/database.ts";
import { startFreezableProxy } from "../tests/support/freezable-proxy.ts";
import { until } from "../tests/support/until.ts";
import { errorCode } from "./errors.ts";
import { connectDatabase, isPostgresUnavailable, type Queryable } from "./postgres.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase("users");
  await database.db.execute(sql`create table marks (name text primary key)`);
});
afterAll(() => database.drop());

/** A pool whose network can stand still. */
async function connectThroughProxy(
  connectionsMax: number,
  options: { clientSilenceMaxMs?: number; statementTimeoutMs?: number } = {},
) {
  const url = new URL(database.url);
  const proxy = await startFreezableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const changes: boolean[] = [];
  const handle = connectDatabase({
    ...options,
    url: url.href,
    name: "frozen",
    connectionsMax,
    onCircuitChange: (_, isOpen) => changes.push(isOpen),
  });
  return {
    ...handle,
    proxy,
    changes,
    async stop() {
      await handle.close();
      proxy.close();
    },
  };
}

/** So many calls at once; a pool of as many has all its connections then. */
const fill = (pool: { db: Queryable }, calls: number) =>
  Promise.all(Array.from({ length: calls }, () => pool.db.execute(sql`select pg_sleep(0.05)`)));

/** @returns the code of what it was rejected with, and after how many milliseconds */
async function refusalOf(call: PromiseLike<unknown>) {
  const startedAt = performance.now();
  try {
    await call;
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    return { code: errorCode(cause), ms: performance.now() - startedAt, isUnavailable: isPostgresUnavailable(error) };
  }
  throw new Error("it was answered");
}

test("a server that falls silent: every statement and transaction ends, then calls fail at once, and when it is back all work", async () => {
  const pool = await connectThroughProxy(5);
  try {
    await fill(pool, 5);
    const silence = Promise.withResolvers<void>();
    let begun = 0;
    const transactions = Array.from({ length: 3 }, (_, index) =>
      refusalOf(
        pool.db.transaction(async (tx) => {
          await tx.execute(sql`insert into marks values (${`begun ${index}`})`);
          begun += 1;
          await silence.promise;
          await tx.execute(sql`insert into marks values (${`silent ${index}`})`);
        }),
      ),
    );
    await until("the transactions have begun", () => begun === 3);
    pool.proxy.freeze();
    silence.resolve();
    const ends = await Promise.all([
      ...Array.from({ length: 2 }, () => refusalOf(pool.db.execute(sql`select 1`))),
      ...transactions,
      ...Array.from({ length: 20 }, () => refusalOf(pool.db.execute(sql`insert into marks values ('never sent')`))),
    ]);
    expect(ends.slice(0, 5).map(({ code }) => code)).toEqual(Array(5).fill("QUERY_TIMEOUT"));
    expect(ends.slice(5).map(({ code }) => code)).toEqual(Array(20).fill("POOL_EXHAUSTED"));
    expect(ends.every(({ isUnavailable }) => isUnavailable)).toBe(true);
    expect(Math.max(...ends.map(({ ms }) => ms))).toBeLessThan(8_000);
    expect(pool.changes).toEqual([true]);

    const refused = await refusalOf(pool.check());
    expect(refused).toMatchObject({ code: "CIRCUIT_OPEN", isUnavailable: true });
    expect(refused.ms).toBeLessThan(500);

    pool.proxy.thaw();
    await until("it answers again", () => pool.check().then(() => true), { timeoutMs: 10_000 });
    expect(pool.changes).toEqual([true, false]);
    // More than there are connections, each of which was broken.
    await Promise.all(Array.from({ length: 30 }, () => pool.db.execute(sql`select pg_sleep(0.01)`)));
    await pool.db.transaction((tx) => tx.execute(sql`insert into marks values ('after')`));
    const [{ count } = { count: "" }] = await database.db.execute<{ count: string }>(
      sql`select count(*) from marks where name <> 'after'`,
    );
    expect(count).toBe("0"); // what was begun was rolled back, what waited was never sent
  } finally {
    await pool.stop();
  }
});

test("whoever sees a check answered may count on the next calls, also if it was asked before the circuit opened", async () => {
  const pool = await connectThroughProxy(5, { statementTimeoutMs: 500 });
  try {
    await fill(pool, 5);
    pool.proxy.freeze();
    const hangs = Array.from({ length: 5 }, () => refusalOf(pool.check()));
    // Its turn comes with the first hang, when it takes five to open the circuit.
    const check = pool.check();
    await Promise.all(hangs);
    expect(pool.changes).toEqual([true]);
    pool.proxy.thaw();
    await check;
    await fill(pool, 30);
    expect(pool.changes).toEqual([true, false]);
  } finally {
    await pool.stop();
  }
});

test("connections that were lost while idle cost one hang, not one each", async () => {
  const pool = await connectThroughProxy(8, { statementTimeoutMs: 500 });
  try {
    await fill(pool, 8);
    pool.proxy.lose();
    expect(await refusalOf(pool.check())).toMatchObject({ code: "QUERY_TIMEOUT", isUnavailable: true });
    await pool.check();
    await fill(pool, 30);
    expect(pool.changes).toEqual([]);
  } finally {
    await pool.stop();
  }
});

test("a statement whose turn comes as a connection breaks is not given to that one", async () => {
  const pool = await connectThroughProxy(1, { statementTimeoutMs: 500 });
  try {
    await fill(pool, 1);
    pool.proxy.cutOnceAt("select 1");
    for (const code of ["ECONNRESET", "QUERY_TIMEOUT"]) {
      const broken = refusalOf(pool.check());
      const next = pool.check();
      expect(await broken).toMatchObject({ code });
      await next;
      pool.proxy.lose();
    }
  } finally {
    await pool.stop();
  }
});

test("a connection that broke while idle is given to nobody, also in the moment before it is closed", async () => {
  const { hostname, port } = new URL(database.url);
  const sockets: Socket[] = [];
  const socket = async () => {
    const made = connect(Number(port), hostname);
    sockets.push(made);
    await once(made, "connect");
    return made;
  };
  // An option that postgres.js's types don't know.
  const client = postgres(database.url, { ...{ socket }, max: 1, onnotice: () => {} });
  try {
    await client`select 1`;
    sockets[0]?.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    await once(sockets[0] as Socket, "error");
    expect(await client`select 'new' as which`).toMatchObject([{ which: "new" }]);
    expect(sockets).toHaveLength(2);
  } finally {
    await client.end();
  }
});

test("the network falls silent before a connection stands: the call ends, and the next one is served", async () => {
  const pool = await connectThroughProxy(1);
  try {
    pool.proxy.freeze();
    const refused = await refusalOf(pool.db.execute(sql`select 1`));
    expect(refused).toMatchObject({ code: "CONNECT_TIMEOUT", isUnavailable: true });
    expect(refused.ms).toBeLessThan(5_000);
    pool.proxy.thaw();
    await until("it answers", () => pool.check().then(() => true));
  } finally {
    await pool.stop();
  }
});

test("a connection that is cut while it fetches its types fails the call, not the process", async () => {
  const pool = await connectThroughProxy(1);
  try {
    pool.proxy.cutOnceAt("pg_catalog.pg_type");
    expect(await refusalOf(pool.db.execute(sql`select 1`))).toMatchObject({ isUnavailable: true });
    await pool.check();
  } finally {
    await pool.stop();
  }
});

test("a pool whose connections broke in the midst of a statement waits for none of them when it closes", async () => {
  const pool = await connectThroughProxy(2);
  const pending = refusalOf(pool.db.execute(sql`select pg_sleep(5)`));
  await until("it is under way", async () => {
    const [row] = await database.db.execute(sql`select 1 from pg_stat_activity where query = 'select pg_sleep(5)'`);
    return row;
  });
  pool.proxy.close();
  expect(await pending).toMatchObject({ isUnavailable: true });
  const startedAt = performance.now();
  await pool.stop();
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a pool of frozen connections closes in less time than a process has to drain", async () => {
  const pool = await connectThroughProxy(2);
  await pool.check();
  pool.proxy.freeze();
  const pending = refusalOf(pool.db.execute(sql`select 1`));
  const startedAt = performance.now();
  await pool.stop();
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(await pending).toMatchObject({ isUnavailable: true });
});

test("a client that freezes before it has read an answer loses its locks", async () => {
  const pool = await connectThroughProxy(1, { clientSilenceMaxMs: 500 });
  const lock = sql`pg_try_advisory_xact_lock(1) as held`;
  const pending = pool.db
    .transaction(async (tx) => {
      await tx.execute(sql`select ${lock}`);
      // More than all buffers on the way can take.
      await tx.execute(sql`select repeat('x', 1000000) from pg_sleep(0.5), generate_series(1, 50)`);
    })
    .then(() => "committed")
    .catch(() => "ended");
  await until("it is asked", async () => {
    const [row] = await database.db.execute(sql`select 1 from pg_stat_activity where wait_event = 'PgSleep'
      and query like 'select repeat%' and datname = current_database()`);
    return row;
  });
  pool.proxy.freeze();
  const isFree = async () => {
    const [row] = await database.db.execute<{ held: boolean }>(sql`select ${lock}`);
    return row?.held;
  };
  expect(await isFree()).toBe(false);
  await until("the lock is free", isFree, { timeoutMs: 4_000 });
  await pool.stop();
  expect(await pending).toBe("ended");
});

test.each([
  ["a full disk", "53100"],
  ["a full table of locks", "53200"],
  ["a read-only server", "25006"],
  ["a failing disk", "58030"],
])("%s is an outage that passes, not a defect", async (_, sqlstate) => {
  const refused = await refusalOf(
    database.db.execute(sql.raw(`do $$ begin raise exception 'no' using errcode = '${sqlstate}'; end $$`)),
  );
  expect(refused).toMatchObject({ code: sqlstate, isUnavailable: true });
});

test("a transaction whose connection is lost while it waits for something else ends there, and the pool stays whole", async () => {
  const pool = connectDatabase({ url: database.url, name: "lost", connectionsMax: 1 });
  try {
    for (let round = 0; round < 5; round++) {
      const isOver = Promise.withResolvers<void>();
      let zombie: Promise<unknown> = Promise.resolve();
      const transaction = refusalOf(
        pool.db.transaction(async (tx) => {
          await tx.execute(sql`select 1`);
          await database.client`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'`;
          await isOver.promise;
          zombie = tx.execute(sql`insert into marks values (${`zombie ${round}`})`).then(
            () => "went on",
            () => "ended",
          );
          await zombie;
        }),
      );
      expect(await transaction).toMatchObject({ isUnavailable: true });
      // The pool's only connection is being made anew for this one, while the lost transaction wants to go on.
      const next = pool.db.execute(sql`select 'mine' as whose`);
      isOver.resolve();
      expect(await next).toMatchObject([{ whose: "mine" }]);
      expect(await zombie).toBe("ended");
    }
    expect(await database.client`select name from marks where name like 'zombie%'`).toHaveLength(0);
  } finally {
    await pool.close();
  }
});

test.each([
  // Besides postgres.js's own question about types: each text once, however often it is sent.
  ["", [2, 3]],
  ["?prepare=false", [0, 0]],
])("statements are prepared, also in transactions, unless the URL says otherwise: %j", async (query, expected) => {
  const pool = connectDatabase({ url: `${database.url}${query}`, name: "prepared", connectionsMax: 1 });
  // Without a parameter, so that it is none itself.
  const prepared = async (within: Queryable) => {
    const [row] = await within.execute<{ count: number }>(
      sql`select count(*)::int as count from pg_prepared_statements`,
    );
    return row?.count;
  };
  try {
    for (let time = 0; time < 3; time++) await pool.db.execute(sql`select ${time}::int`);
    const outside = await prepared(pool.db);
    const inside = await pool.db.transaction(async (tx) => {
      for (let time = 0; time < 3; time++) await tx.execute(sql`select ${time}::int + 1`);
      return prepared(tx);
    });
    expect([outside, inside]).toEqual(expected);
  } finally {
    await pool.close();
  }
});
