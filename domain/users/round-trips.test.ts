import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { connectCounted } from "../../tests/support/round-trips.ts";
import { createPlayer, createUsersContext, freshEmail, logIn, PASSWORD } from "../../tests/support/users-service.ts";
import { getUser } from "./accounts/get-user.ts";
import { registerPlayer } from "./accounts/register-player.ts";
import type { User } from "./accounts/user.ts";
import { addTransaction } from "./ledger/add-transaction.ts";
import { refreshSession } from "./sessions/refresh-session.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let counted: Awaited<ReturnType<typeof connectCounted>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  counted = await connectCounted(ctx.databaseUrl);
  player = await createPlayer(ctx);
});
afterAll(async () => {
  await counted.close();
  await ctx.stop();
});

const credit = (idempotencyKey = newId()) =>
  addTransaction(
    { db: counted.db, currency: "EUR" },
    {
      idempotencyKey,
      userId: player.id,
      type: "CREDIT",
      amountMinor: 100,
      currency: "EUR",
      description: "a test",
      reference: "",
    },
  );
const read = () => getUser({ db: counted.db, currency: "EUR" }, { userId: player.id });

test("a credit takes one round trip to the database, and so does its repetition", async () => {
  await credit();
  const key = newId();
  expect(await counted.roundTripsOf(() => credit(key))).toBe(1);
  expect(await counted.roundTripsOf(() => credit(key))).toBe(1);
});

test("a registration takes five: begin, player, event, the mail to verify the address, commit", async () => {
  const register = () =>
    registerPlayer(
      { db: counted.db, currency: "EUR" },
      { email: freshEmail(), password: PASSWORD, traceparent: undefined },
    );
  await register();
  expect(await counted.roundTripsOf(register)).toBe(5);
});

test("a profile takes one", async () => {
  await read();
  expect(await counted.roundTripsOf(read)).toBe(1);
});

test("a login takes two, one before the password is hashed and one after the session is stored; a refresh takes one", async () => {
  const context = { ...ctx, db: counted.db };
  const open = () => logIn(context, { email: player.email, password: PASSWORD });
  let { refreshToken } = await open();
  expect(await counted.roundTripsOf(open)).toBe(2);
  const refresh = async () => {
    ({ refreshToken } = await refreshSession(context, { refreshToken }));
  };
  await refresh();
  expect(await counted.roundTripsOf(refresh)).toBe(1);
});

test("the session of a login costs one call of Redis, a refresh two", async () => {
  const calls: PropertyKey[] = [];
  const redis = new Proxy(ctx.redis, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls.push(name);
        return value.apply(target, args);
      };
    },
  });
  const context = { ...ctx, redis };
  const { refreshToken } = await logIn(context, { email: player.email, password: PASSWORD });
  expect(calls).toEqual(["eval"]);
  calls.length = 0;
  await refreshSession(context, { refreshToken });
  expect(calls).toEqual(["hmget", "eval"]);
});
