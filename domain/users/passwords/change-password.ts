import { and, eq, sql } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { tellAccount } from "../accounts/tell-account.ts";
import { accountNotActive, userNotFound } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { endOtherSessionsAround } from "../sessions/end-other-sessions.ts";
import { isOwnAddress, passwordIsAddress } from "./credentials.ts";
import { checkPassword, hashPassword } from "./passwords.ts";

export interface ChangePasswordInput {
  userId: string;
  /** The session that asks: it stays. */
  sessionId: string;
  currentPassword: string;
  newPassword: string;
  /** Of the client; "" where it is not known. Guesses are counted as those of logins are. */
  address: string;
  /** the trace to go on in the consumers of the event that tells of it */
  traceparent?: string;
}

/**
 * Changes a password for who knows the present one, and ends all other sessions: whoever opened one with the old password is
 * out. Links that were mailed before are void then, a mail tells the account's address, and a player gets a notification.
 *
 * @throws AppError `password_is_address`, `too_many_attempts`, `current_password_wrong`, `account_suspended`, `account_self_excluded`,
 * `passwords_busy`, `sessions_unavailable`
 */
export async function changePassword(ctx: UsersContext, input: ChangePasswordInput): Promise<void> {
  const { userId, sessionId, currentPassword, newPassword, address } = input;
  const [user] = await ctx.db
    .select({
      id: users.id,
      role: users.role,
      email: users.email,
      status: users.status,
      passwordHash: users.passwordHash,
    })
    .from(users)
    .where(eq(users.id, userId));
  if (user === undefined) throw userNotFound();
  if (user.status !== "active") throw accountNotActive(user.status, { userId });
  if (isOwnAddress(newPassword, user.email)) throw passwordIsAddress();
  const succeeded = await ctx.loginAttempts.begin({ email: user.email, address });
  if ((await checkPassword(currentPassword, user.passwordHash)) === "wrong") throw currentPasswordWrong();
  await succeeded();
  const passwordHash = await hashPassword(newPassword);
  await endOtherSessionsAround(ctx, { userId, sessionId }, async () => {
    await ctx.db.transaction(async (tx) => {
      const [changed] = await tx
        .update(users)
        .set({ passwordHash })
        .where(and(eq(users.id, userId), eq(users.passwordHash, user.passwordHash)))
        .returning({ email: users.email, at: sql<Date>`now()`.mapWith(users.updatedAt) });
      // Somebody else has changed it meanwhile, so the one that was given is not the present one any more.
      if (changed === undefined) throw currentPasswordWrong();
      await queueMail(tx, { kind: "password_changed", userId, address: changed.email });
      await tellAccount(tx, user, changed.at, { kind: "password_changed" }, input.traceparent);
    });
  });
}

export const currentPasswordWrong = () =>
  new AppError("permission_denied", "current_password_wrong", "The current password is not the right one.");
