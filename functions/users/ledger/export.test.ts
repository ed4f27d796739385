import { once } from "node:events";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import getPort from "get-port";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { User } from "../../../domain/users/accounts/user.ts";
import { addTransaction } from "../../../domain/users/ledger/add-transaction.ts";
import { createExports } from "../../../lib/http/exports.ts";
import { serveHttp } from "../../../lib/http/server.ts";
import { newId } from "../../../lib/ids.ts";
import { connectDatabase, type DatabaseHandle } from "../../../lib/postgres.ts";
import { until } from "../../../tests/support/until.ts";
import {
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  silentLog,
} from "../../../tests/support/users-service.ts";

/** More than the buffers on the way to a client that does not read. */
const MANY_ROWS = 60_000;

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let database: DatabaseHandle;
let admin: User;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  database = connectDatabase({ url: ctx.databaseUrl, name: "test-exports", connectionsMax: 2, readOnly: true });
  [admin, player] = [await createStaff(ctx, "admin"), await createPlayer(ctx)];
});
afterAll(async () => {
  await database.close();
  await ctx.stop();
});
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** The app with exports of its own, without a network. */
async function start(limits: Partial<Parameters<typeof createExports>[0]> = {}) {
  const exports = createExports({ runningMax: 2, stallMsMax: 20_000, lastsMsMax: 60_000, ...limits }, silentLog);
  stops.push(exports.stop);
  const client = await createUsersClient({ ...(await createUsersDeps(ctx)), exports, exportClient: database.client });
  const token = await client.tokenOf(admin);
  return {
    exports,
    client,
    token,
    export: async (query = "", as = token) =>
      client.app.request(`/api/v1/ledger${query}`, { headers: { authorization: `Bearer ${as}` } }),
  };
}

/** The app behind a port, as in production. */
async function serve(limits: Partial<Parameters<typeof createExports>[0]> = {}) {
  const { client, token, exports } = await start(limits);
  const port = await getPort();
  const server = await serveHttp(client.app, { host: "127.0.0.1", port, log: silentLog });
  stops.push(server.drain);
  return {
    exports,
    token,
    port,
    fetch: () => fetch(`http://127.0.0.1:${port}/api/v1/ledger`, { headers: { authorization: `Bearer ${token}` } }),
  };
}

const codeOf = (problem: unknown) => (problem as { code: string }).code;
const linesOf = async (response: Response) => (await response.text()).trimEnd().split("\r\n");

const write = (input: Partial<Parameters<typeof addTransaction>[1]> = {}) =>
  addTransaction(ctx, {
    idempotencyKey: newId(),
    userId: player.id,
    type: "CREDIT",
    amountMinor: 500,
    currency: "EUR",
    description: "A bonus",
    reference: `promotion:${newId()}`,
    ...input,
  });

/** As nobody could through the API: rows of some time, past triggers. */
const insertRows = (count: number, createdAt: string) =>
  ctx.client.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`insert into transactions (user_id, type, amount_minor, balance_after_minor, currency, description, reference,
      idempotency_key, request_hash, created_at)
      select ${player.id}, 'CREDIT', n, n, 'EUR', 'A bonus', 'test', uuidv7()::text, '', ${createdAt}::timestamptz
      from generate_series(1, ${count}::int) as n`;
  });

const queriesUnderWay = async () => {
  const rows = await ctx.client`select 1 from pg_stat_activity where application_name = 'test-exports'
    and datname = current_database() and state <> 'idle'`;
  return rows.length;
};

test("the ledger comes in its order, with what a debit takes back, and no cell is a formula", async () => {
  const ledger = await start();
  const key = newId();
  const first = await write({ idempotencyKey: key, description: "=HYPERLINK(1)" });
  const second = await write({ type: "DEBIT", reverses: key });
  const response = await ledger.export();
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
  const [header, ...lines] = await linesOf(response);
  expect(header).toBe(
    "id,createdAt,userId,type,amountMinor,currency,balanceAfterMinor,description,reference,idempotencyKey,reverses",
  );
  const own = lines.filter((line) => line.includes(key));
  expect(own).toEqual([
    expect.stringMatching(
      `^${first.transactionId},[-0-9]+T[.:0-9]+Z,${player.id},CREDIT,500,EUR,500,'=HYPERLINK.*,${key},$`,
    ),
    expect.stringMatching(`^${second.transactionId},[-0-9]+T[.:0-9]+Z,${player.id},DEBIT,500,EUR,0,.*,${key}$`),
  ]);
});

test("it is for admins, and each export leaves an entry in the audit", async () => {
  const ledger = await start();
  for (const other of [player, await createStaff(ctx)]) {
    expect((await ledger.export("", await ledger.client.tokenOf(other))).status).toBe(403);
  }
  const count = () =>
    ctx.client`select after from audit_entries where action = 'exportLedger' and actor_id = ${admin.id} order by id`;
  const before = (await count()).length;
  const response = await ledger.export("?from=2026-01-01&to=2026-02-01T00:00:00%2B01:00");
  expect(await linesOf(response)).toHaveLength(1);
  expect((await count()).slice(before)).toEqual([
    { after: { from: { day: "2026-01-01" }, to: "2026-01-31T23:00:00.000Z" } },
  ]);
});

test("from belongs to it, to does not; a day begins in the time zone of reports", async () => {
  const ledger = await start();
  for (const at of [
    "2020-05-09T21:59:59.999Z",
    "2020-05-09T22:00:00Z",
    "2020-05-10T21:59:59.999Z",
    "2020-05-10T22:00:00Z",
  ]) {
    await insertRows(1, at);
  }
  const timesOf = async (query: string) =>
    (await linesOf(await ledger.export(query))).slice(1).map((line) => line.split(",")[1]);
  const ofThatDay = ["2020-05-09T22:00:00.000Z", "2020-05-10T21:59:59.999Z"];
  expect(await timesOf("?from=2020-05-10&to=2020-05-11")).toEqual(ofThatDay);
  expect(await timesOf("?from=2020-05-09T22:00:00Z&to=2020-05-10T22:00:00Z")).toEqual(ofThatDay);
  expect(await timesOf("?to=2020-05-10")).toEqual(["2020-05-09T21:59:59.999Z"]);
});

test.each(["from=yesterday", "to=2026-02-30", "from=1999-12-31", "day=2026-01-01"])("%s is refused", async (query) => {
  const response = await (await start()).export(`?${query}`);
  expect([response.status, codeOf(await response.json())]).toEqual([400, "validation_failed"]);
});

test("as many at a time as there are connections; who breaks off ends the query and makes room", async () => {
  await insertRows(MANY_ROWS, "2021-01-01T00:00:00Z");
  const ledger = await start();
  const bodies = [await ledger.export(), await ledger.export()].map(({ body }) => body as ReadableStream<Uint8Array>);
  expect(await queriesUnderWay()).toBe(2);
  const refused = await ledger.export();
  expect([refused.status, codeOf(await refused.json())]).toEqual([429, "too_many_exports"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  for (const body of bodies) await body.cancel();
  await until("the queries end", async () => (await queriesUnderWay()) === 0);
  const lines = await until("there is room", async () => {
    const response = await ledger.export("?from=2021-01-01&to=2021-01-02");
    return response.status === 200 && linesOf(response);
  });
  expect(lines).toHaveLength(MANY_ROWS + 1);
});

test("a client that goes away in the middle ends the query", async () => {
  await insertRows(MANY_ROWS, "2022-01-01T00:00:00Z");
  const { port, token } = await serve();
  const socket = createConnection(port, "127.0.0.1");
  socket.write(`GET /api/v1/ledger HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n\r\n`);
  await once(socket, "data");
  socket.pause();
  expect(await queriesUnderWay()).toBe(1);
  socket.destroy();
  await until("the query ends", async () => (await queriesUnderWay()) === 0);
});

test("a client that does not read is broken off, and its connection to the database is free", async () => {
  await insertRows(MANY_ROWS, "2022-01-01T00:00:00Z");
  const { port, token } = await serve({ stallMsMax: 300 });
  const socket = createConnection(port, "127.0.0.1");
  socket.write(`GET /api/v1/ledger HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n\r\n`);
  await once(socket, "data");
  socket.pause();
  await until("the query ends", async () => (await queriesUnderWay()) === 0);
  socket.on("error", () => {});
  const rest = await text(socket).catch(() => "");
  // The last chunk of a body that is whole is an empty one.
  expect(rest.endsWith("0\r\n\r\n")).toBe(false);
});

test.each<[what: string, breakOff: (served: Awaited<ReturnType<typeof serve>>) => unknown]>([
  [
    "its connection to the database dies",
    () =>
      ctx.client`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'test-exports' and datname = current_database() and state <> 'idle'`,
  ],
  ["its replica stops", ({ exports }) => exports.stop()],
])("an export breaks off, and does not look like a whole one, when %s", async (_what, breakOff) => {
  await insertRows(MANY_ROWS, "2022-01-01T00:00:00Z");
  const served = await serve();
  const response = await served.fetch();
  expect(response.status).toBe(200);
  await breakOff(served);
  await expect(response.text()).rejects.toThrow();
  await until("the query ends", async () => (await queriesUnderWay()) === 0);
});

test("an export that takes too long in all breaks off", async () => {
  await insertRows(MANY_ROWS, "2022-01-01T00:00:00Z");
  const served = await serve({ lastsMsMax: 1 });
  const response = await served.fetch();
  await expect(response.text()).rejects.toThrow();
});

test("a replica that stops takes no more, and a database that is away is told before anything is sent", async () => {
  const stopped = await start();
  stopped.exports.stop();
  expect((await stopped.export()).status).toBe(503);
  const nowhere = connectDatabase({ url: "postgres://nobody@127.0.0.1:1/none", name: "test" });
  const exports = createExports({ runningMax: 1, stallMsMax: 1_000, lastsMsMax: 1_000 }, silentLog);
  const client = await createUsersClient({ ...(await createUsersDeps(ctx)), exports, exportClient: nowhere.client });
  const headers = { authorization: `Bearer ${await client.tokenOf(admin)}` };
  for (const _ of [1, 2]) {
    const response = await client.app.request("/api/v1/ledger", { headers });
    expect([response.status, codeOf(await response.json())]).toEqual([503, "database_unavailable"]);
  }
  await nowhere.close();
});
