import { eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { fingerprintOf } from "../mails/link-token.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { queueVerification } from "../mails/queue-verification.ts";
import { currentPasswordWrong } from "../passwords/change-password.ts";
import { checkPassword } from "../passwords/passwords.ts";
import { accountNotActive, userNotFound } from "./user.ts";

export interface AskEmailChangeInput {
  userId: string;
  /** In its canonical form. The own one: its owner wants to verify it. */
  newEmail: string;
  currentPassword: string;
  /** Of the client; "" where it is not known. Guesses are counted as those of logins are. */
  address: string;
}

/**
 * Has a link sent to the address that an account is to have, and a notice to the one that it has. It becomes the account's when the link is
 * used (`verifyEmail`). Whether somebody else has it is told then, once the mailbox is known to be theirs.
 *
 * @throws AppError `too_many_attempts`, `current_password_wrong`, `account_suspended`, `account_self_excluded`, `user_not_found`,
 * `passwords_busy`
 */
export async function askEmailChange(
  ctx: Pick<UsersContext, "db" | "loginAttempts" | "mailsPerAddress">,
  { userId, newEmail, currentPassword, address }: AskEmailChangeInput,
): Promise<void> {
  const [user] = await ctx.db
    .select({ id: users.id, email: users.email, status: users.status, passwordHash: users.passwordHash })
    .from(users)
    .where(eq(users.id, userId));
  if (user === undefined) throw userNotFound();
  if (user.status !== "active") throw accountNotActive(user.status, { userId });
  const succeeded = await ctx.loginAttempts.begin({ email: user.email, address });
  if ((await checkPassword(currentPassword, user.passwordHash)) === "wrong") throw currentPasswordWrong();
  await succeeded();
  const recipients = new Set([newEmail, user.email].map((email) => email.toLowerCase()));
  for (const recipient of recipients) await ctx.mailsPerAddress.take(recipient);
  if (recipients.size === 1) return queueVerification(ctx.db, user);
  // What was read before: once password or address are others, the link is void.
  const fingerprint = fingerprintOf(user);
  await ctx.db.transaction(async (tx) => {
    await queueMail(tx, { kind: "email_change", userId, address: newEmail, fingerprint });
    await queueMail(tx, { kind: "email_change_requested", userId, address: user.email });
  });
}
