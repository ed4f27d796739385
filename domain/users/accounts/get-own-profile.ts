import { eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { cacheProfile, readCachedProfile } from "./profile-cache.ts";
import { findUser, type User, userNotFound } from "./user.ts";

/**
 * A user's own profile: cached for a minute, but for the balance, which is the database's.
 *
 * @throws AppError `user_not_found`
 */
export async function getOwnProfile(ctx: UsersContext, input: { userId: string }): Promise<User> {
  const cached = await readCachedProfile(ctx, input.userId);
  if (cached !== undefined) {
    const [row] = await ctx.db
      .select({ balanceMinor: users.balanceMinor })
      .from(users)
      .where(eq(users.id, input.userId));
    if (row !== undefined) return { ...cached, balanceMinor: row.balanceMinor };
  }
  const user = await findUser(ctx.db, input.userId);
  if (user === undefined) throw userNotFound();
  const { balanceMinor: _, ...profile } = user;
  await cacheProfile(ctx, profile);
  return user;
}
