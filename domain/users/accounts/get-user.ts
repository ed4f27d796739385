import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import type { StoreContext } from "../context.ts";
import { findUser, type User, userNotFound } from "./user.ts";

/**
 * A user, for themselves and for staff.
 *
 * @param input.readBy the staff who look at it, for the audit; undefined for one's own
 * @throws AppError `user_not_found`
 */
export async function getUser(ctx: StoreContext, input: { userId: string; readBy?: Acting }): Promise<User> {
  const user = await findUser(ctx.db, input.userId);
  if (user === undefined) throw userNotFound();
  if (input.readBy !== undefined) {
    await recordAudit(ctx.db, { ...input.readBy, action: "getUser", object: { type: "user", id: user.id } });
  }
  return user;
}
