import { canonicalEmail } from "../accounts/email.ts";
import type { UsersContext } from "../context.ts";
import { queueMail } from "../mails/queue-mail.ts";

/**
 * Has a link sent to the address, with which its owner can choose a new password, if it is an account's. Whether it is one is looked
 * up when the mail is sent, so that neither the answer nor its time tells.
 *
 * @param input.email as its owner writes it
 * @throws AppError `too_many_attempts`
 */
export async function askPasswordReset(
  ctx: Pick<UsersContext, "db" | "mailsPerAddress">,
  { email }: { email: string },
): Promise<void> {
  // Counted apart from what the account's owner asks for: anybody can ask this, and must not keep the owner from the rest.
  await ctx.mailsPerAddress.take(`password_reset ${(canonicalEmail(email) ?? email).toLowerCase()}`);
  await queueMail(ctx.db, { kind: "password_reset", userId: null, address: email });
}
