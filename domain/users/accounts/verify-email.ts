import { and, eq, ne, notExists, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { users } from "../../../drizzle/users/schema.ts";
import { PG_UNIQUE_VIOLATION, postgresError, type Queryable } from "../../../lib/postgres.ts";
import type { UsersContext } from "../context.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { findLink, linkInvalid, takeLink } from "../mails/use-link.ts";
import { emailTaken } from "./insert-user.ts";

/**
 * Takes an address for verified whose owner has got the link. If it is a new one, it becomes the account's, all links of the account
 * before are void, and the old one is told. A link to an address that somebody else has got since stays good.
 *
 * @param input.token of the link
 * @throws AppError `link_invalid`, `email_taken`
 */
export async function verifyEmail(
  ctx: Pick<UsersContext, "db" | "linkKey">,
  { token }: { token: string },
): Promise<{ userId: string }> {
  const link = await findLink(ctx, token, ["email_verification", "email_change"]);
  const { id: userId, email: oldEmail } = link.user;
  // A suspended account stays as it is, also its address, whoever has the link.
  if (link.kind === "email_change" && link.user.status !== "active") throw linkInvalid(userId);
  await ctx.db.transaction(async (tx) => {
    await takeLink(tx, link);
    if (link.kind === "email_verification") {
      await tx.update(users).set({ emailVerified: true }).where(eq(users.id, userId));
      return;
    }
    await changeEmail(tx, userId, link.address);
    await queueMail(tx, { kind: "email_changed", userId, address: oldEmail });
  });
  return { userId };
}

/** Reads first, since PostgreSQL would write the address into its log if the index failed; which it does for two at the same moment. */
async function changeEmail(tx: Queryable, userId: string, email: string): Promise<void> {
  const others = alias(users, "others");
  const isFree = notExists(
    tx
      .select({ id: others.id })
      .from(others)
      .where(and(sql`lower(${others.email}) = lower(${email})`, ne(others.id, userId))),
  );
  const changed = await tx
    .update(users)
    .set({ email, emailVerified: true })
    .where(and(eq(users.id, userId), isFree))
    .returning({ id: users.id })
    .catch((error: unknown) => {
      throw postgresError(error)?.code === PG_UNIQUE_VIOLATION ? emailTaken() : error;
    });
  if (changed.length === 0) throw emailTaken();
}
