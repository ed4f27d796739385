import { z } from "zod";
import type { UsersContext } from "../context.ts";
import { USER_STATUSES, type User } from "./user.ts";

/** Seconds that a profile is kept; a lost invalidation is seen for that long at most. */
const PROFILE_TTL_SECONDS = 60;
/** Seconds that an invalidated profile can't be filled: longer than a read that began before the change may take. */
const TOMBSTONE_TTL_SECONDS = 10;
const TOMBSTONE = "changed";

/** A user without the balance, which is never cached. */
export type Profile = Omit<User, "balanceMinor">;

const cachedProfile = z.object({
  id: z.string(),
  email: z.string(),
  role: z.enum(["player", "staff", "admin"]),
  status: z.enum(USER_STATUSES),
  currency: z.string(),
  createdAt: z.coerce.date(),
});

const key = (userId: string) => `profile:${userId}`;

/** Cache-aside in Redis. Whatever goes wrong with it is logged and counts as a miss: the service works without it. */
export async function readCachedProfile(ctx: UsersContext, userId: string): Promise<Profile | undefined> {
  try {
    const text = await ctx.redis.get(key(userId));
    return text === null || text === TOMBSTONE ? undefined : cachedProfile.parse(JSON.parse(text));
  } catch (error) {
    ctx.log.debug({ err: error, userId }, "profile cache read failed");
    return undefined;
  }
}

/** Fills the cache, but not over a tombstone: what was read before a change must not outlive it. */
export async function cacheProfile(ctx: UsersContext, profile: Profile): Promise<void> {
  try {
    await ctx.redis.set(key(profile.id), JSON.stringify(profile), "EX", PROFILE_TTL_SECONDS, "NX");
  } catch (error) {
    ctx.log.debug({ err: error, userId: profile.id }, "profile cache write failed");
  }
}

/** Call it after the change has committed. */
export async function invalidateProfile(ctx: UsersContext, userId: string): Promise<void> {
  try {
    await ctx.redis.set(key(userId), TOMBSTONE, "EX", TOMBSTONE_TTL_SECONDS);
  } catch (error) {
    ctx.log.warn({ err: error, userId }, "profile cache invalidation failed");
  }
}
