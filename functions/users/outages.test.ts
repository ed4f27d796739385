import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { User } from "../../domain/users/accounts/user.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import {
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  freshEmail,
  PASSWORD,
  sessionsOn,
  unreachableRedis,
} from "../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
let staff: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  player = await createPlayer(ctx);
  staff = await createStaff(ctx);
});
afterAll(() => ctx.stop());

test("without Redis sessions answer 503 with Retry-After, and all else works", async () => {
  const redis = unreachableRedis();
  try {
    const client = await createUsersClient(await createUsersDeps({ ...ctx, ...sessionsOn(redis) }));
    const login = await client.send("POST /api/v1/auth/login", { json: { email: player.email, password: PASSWORD } });
    expect(login).toMatchObject({ status: 503, body: { code: "sessions_unavailable" } });
    expect(login.headers.get("retry-after")).toBe("2");
    const registered = await client.send("POST /api/v1/auth/register", {
      json: { email: freshEmail(), password: PASSWORD },
    });
    expect(registered.status).toBe(201);
    const profile = await client.send("GET /api/v1/users/me", { token: await client.tokenOf(player) });
    expect(profile).toMatchObject({ status: 200, body: { id: player.id, balanceMinor: 0 } });
  } finally {
    redis.disconnect();
  }
});

test("without PostgreSQL every route that needs it answers 503 with Retry-After, in time", async () => {
  const database = connectDatabase({ url: "postgres://nobody@127.0.0.1:1/none", name: "test" });
  try {
    const client = await createUsersClient(await createUsersDeps({ ...ctx, db: database.db }));
    const token = await client.tokenOf(staff);
    const credentials = { email: freshEmail(), password: PASSWORD };
    const requests: [string, object][] = [
      ["POST /api/v1/auth/register", { json: credentials }],
      ["POST /api/v1/auth/login", { json: credentials }],
      ["GET /api/v1/users/me", { token }],
      ["GET /api/v1/transactions", { token }],
      ["GET /api/v1/users", { token }],
      [`GET /api/v1/users/${player.id}`, { token }],
      [`PATCH /api/v1/users/${player.id}/status`, { token, json: { status: "suspended", reason: "r" } }],
    ];
    // Several rounds: the wait before reconnecting must not grow with the failures.
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(requests.map(([route, request]) => client.send(route, request)));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 503, body: { code: "database_unavailable" } });
        expect(answer.headers.get("retry-after")).toBe("2");
      }
    }
  } finally {
    await database.close();
  }
});

test("a full disk: writes answer 503 with Retry-After, and reads go on", async () => {
  await ctx.db.execute(sql`
    create function fail_as_full() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$`);
  await ctx.db.execute(sql`create trigger full_disk before insert or update on users execute function fail_as_full()`);
  try {
    const client = await createUsersClient(await createUsersDeps(ctx));
    const token = await client.tokenOf(staff);
    const writes: [string, object][] = [
      ["POST /api/v1/auth/register", { json: { email: freshEmail(), password: PASSWORD } }],
      [`PATCH /api/v1/users/${player.id}/status`, { token, json: { status: "suspended", reason: "r" } }],
    ];
    for (const [route, request] of writes) {
      const answer = await client.send(route, request);
      expect(answer, route).toMatchObject({ status: 503, body: { code: "database_unavailable" } });
      expect(answer.headers.get("retry-after")).toBe("2");
    }
    for (const route of ["GET /api/v1/users/me", "GET /api/v1/users", `GET /api/v1/users/${player.id}`]) {
      expect(await client.send(route, { token }), route).toMatchObject({ status: 200 });
    }
  } finally {
    await ctx.db.execute(sql`drop trigger full_disk on users`);
  }
});

test("a database that can't be reached costs nobody their session", async () => {
  const client = await createUsersClient(await createUsersDeps(ctx));
  const { body } = await client.send("POST /api/v1/auth/login", {
    json: { email: player.email, password: PASSWORD, tokenDelivery: "body" },
  });
  const json = { refreshToken: body.refreshToken };
  const database = connectDatabase({ url: "postgres://nobody@127.0.0.1:1/none", name: "test" });
  try {
    const without = await createUsersClient(await createUsersDeps({ ...ctx, db: database.db }));
    expect((await without.send("POST /api/v1/auth/refresh", { json })).status).toBe(503);
  } finally {
    await database.close();
  }
  expect(await ctx.redis.hget(`session:${body.refreshToken.split(".")[0]}`, "generation")).toBe("0");
  expect((await client.send("POST /api/v1/auth/refresh", { json })).status).toBe(200);
});
