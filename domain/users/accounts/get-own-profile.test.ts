import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { createPlayer, createUsersContext, unreachableRedis } from "../../../tests/support/users-service.ts";
import { addTransaction } from "../ledger/add-transaction.ts";
import { getOwnProfile } from "./get-own-profile.ts";
import { cacheProfile, invalidateProfile } from "./profile-cache.ts";
import type { User } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const profile = () => getOwnProfile(ctx, { userId: player.id });
const credit = () =>
  addTransaction(ctx, {
    idempotencyKey: newId(),
    userId: player.id,
    type: "CREDIT",
    amountMinor: 100,
    currency: "EUR",
    description: "",
    reference: "",
  });

test("the profile comes from the cache, the balance never does", async () => {
  expect(await profile()).toEqual(player);
  await credit();
  // Behind the service's back, to tell the cache from the database.
  await ctx.db.update(users).set({ email: "changed@example.com" }).where(eq(users.id, player.id));
  expect(await profile()).toEqual({ ...player, balanceMinor: 100 });
  const stored = await ctx.redis.get(`profile:${player.id}`);
  expect(stored).not.toContain("balance");
  expect(await ctx.redis.ttl(`profile:${player.id}`)).toBeLessThanOrEqual(60);
});

test("a profile that was read before a change is not cached after it", async () => {
  const { balanceMinor: _, ...readBefore } = player;
  await ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, player.id));
  await invalidateProfile(ctx, player.id);
  await cacheProfile(ctx, readBefore);
  expect((await profile()).status).toBe("suspended");
});

test("the profile is there without Redis, and with rubbish in it", async () => {
  await ctx.redis.set(`profile:${player.id}`, "{not json", "EX", 60);
  expect(await profile()).toEqual(player);
  const redis = unreachableRedis();
  try {
    expect(await getOwnProfile({ ...ctx, redis }, { userId: player.id })).toEqual(player);
  } finally {
    redis.disconnect();
  }
});

test("who is unknown has no profile", async () => {
  await expect(getOwnProfile(ctx, { userId: newId() })).rejects.toMatchObject({ code: "user_not_found" });
});
