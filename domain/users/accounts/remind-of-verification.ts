import { and, eq, gt, sql } from "drizzle-orm";
import { mails, users } from "../../../drizzle/users/schema.ts";
import type { UsersContext } from "../context.ts";
import { queueVerification } from "../mails/queue-verification.ts";

/** Whoever has the password can ask for them by logging in again and again. */
const REMINDERS_EVERY_SECONDS = 15 * 60;

/** Has another link sent to who is refused because their address is not verified, unless one was just now. */
export async function remindOfVerification(ctx: Pick<UsersContext, "db">, { id }: { id: string }): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    // Of several logins at once one finds that nothing was sent.
    const [user] = await tx
      .select({ id: users.id, email: users.email, passwordHash: users.passwordHash })
      .from(users)
      .where(and(eq(users.id, id), eq(users.emailVerified, false)))
      .for("no key update");
    if (user === undefined) return;
    const recent = await tx.$count(
      mails,
      and(
        eq(mails.userId, id),
        eq(mails.kind, "email_verification"),
        gt(mails.createdAt, sql`now() - ${REMINDERS_EVERY_SECONDS} * interval '1 second'`),
      ),
    );
    if (recent === 0) await queueVerification(tx, user);
  });
}
