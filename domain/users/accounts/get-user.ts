import type { StoreContext } from "../context.ts";
import { findUser, type User, userNotFound } from "./user.ts";

/**
 * A user, for themselves and for staff.
 *
 * @throws AppError `user_not_found`
 */
export async function getUser(ctx: StoreContext, input: { userId: string }): Promise<User> {
  const user = await findUser(ctx.db, input.userId);
  if (user === undefined) throw userNotFound();
  return user;
}
