import { eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { findLink, takeLink } from "../mails/use-link.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { isOwnAddress, passwordIsAddress } from "./credentials.ts";
import { hashPassword } from "./passwords.ts";

/**
 * Changes the password of who got the link, and ends all sessions. All other links of the account are void then. Its status stays, and
 * so does its second factor.
 *
 * @param input.token of the link
 * @throws AppError `link_invalid`, `password_is_address`, `passwords_busy`, `sessions_unavailable`
 */
export async function resetPassword(
  ctx: UsersContext,
  { token, newPassword }: { token: string; newPassword: string },
): Promise<{ userId: string }> {
  const link = await findLink(ctx, token, ["password_reset"]);
  const { id: userId, email } = link.user;
  if (isOwnAddress(newPassword, email)) throw passwordIsAddress();
  const passwordHash = await hashPassword(newPassword);
  await endOtherSessionsAround(ctx, { userId }, () =>
    ctx.db.transaction(async (tx) => {
      await takeLink(tx, link);
      // A mailer of a version without invitations sends links to who has not accepted theirs: the mailbox is proven all the same.
      await tx.update(users).set({ passwordHash, invitedAt: null }).where(eq(users.id, userId));
      await queueMail(tx, { kind: "password_changed", userId, address: email });
    }),
  );
  return { userId };
}
