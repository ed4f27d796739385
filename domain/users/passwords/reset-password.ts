import { eq, sql } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { tellAccount } from "../accounts/tell-account.ts";
import type { UsersContext } from "../context.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { findLink, takeLink } from "../mails/use-link.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { isOwnAddress, passwordIsAddress } from "./credentials.ts";
import { hashPassword } from "./passwords.ts";

/**
 * Changes the password of who got the link, and ends all sessions. All other links of the account are void then, its address is verified,
 * a mail tells of it, and a player gets a notification. Its status stays, and so does its second factor.
 *
 * @param input.token of the link
 * @param input.traceparent the trace to go on in the consumers of the event that tells of it
 * @throws AppError `link_invalid`, `password_is_address`, `passwords_busy`, `sessions_unavailable`
 */
export async function resetPassword(
  ctx: UsersContext,
  { token, newPassword, traceparent }: { token: string; newPassword: string; traceparent?: string },
): Promise<{ userId: string }> {
  const link = await findLink(ctx, token, ["password_reset"]);
  const { id: userId, email } = link.user;
  if (isOwnAddress(newPassword, email)) throw passwordIsAddress();
  const passwordHash = await hashPassword(newPassword);
  await endOtherSessionsAround(ctx, { userId }, () =>
    ctx.db.transaction(async (tx) => {
      await takeLink(tx, link);
      // A mailer of a version without invitations sends links to who has not accepted theirs: the mailbox is proven all the same.
      const [changed] = await tx
        .update(users)
        .set({ passwordHash, invitedAt: null, emailVerified: true })
        .where(eq(users.id, userId))
        .returning({ at: sql<Date>`now()`.mapWith(users.updatedAt) });
      if (changed === undefined) throw new Error("the account is locked, and gone");
      await queueMail(tx, { kind: "password_changed", userId, address: email });
      await tellAccount(tx, link.user, changed.at, { kind: "password_changed" }, traceparent);
    }),
  );
  return { userId };
}
