import { eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { findLink, takeLink } from "../mails/use-link.ts";
import { isOwnAddress, passwordIsAddress } from "../passwords/credentials.ts";
import { hashPassword } from "../passwords/passwords.ts";

/**
 * Gives the account of who was invited its first password; its address is verified by that. It has no sessions that could end; its status stays.
 *
 * @param input.token of the link
 * @throws AppError `link_invalid`, `password_is_address`, `passwords_busy`
 */
export async function acceptInvitation(
  ctx: Pick<UsersContext, "db" | "linkKey">,
  { token, password }: { token: string; password: string },
): Promise<{ userId: string }> {
  const link = await findLink(ctx, token, ["staff_invitation"]);
  const { id: userId, email } = link.user;
  if (isOwnAddress(password, email)) throw passwordIsAddress();
  const passwordHash = await hashPassword(password);
  await ctx.db.transaction(async (tx) => {
    await takeLink(tx, link);
    await tx.update(users).set({ passwordHash, invitedAt: null, emailVerified: true }).where(eq(users.id, userId));
  });
  return { userId };
}
