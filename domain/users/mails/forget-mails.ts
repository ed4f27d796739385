import { inArray, lte, sql } from "drizzle-orm";
import { mails } from "../../../drizzle/users/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { MailKind } from "./queue-mail.ts";

/** Rows per statement. */
const BATCH_MAX = 1_000;

/**
 * Forgets mails that have expired.
 *
 * @returns the kinds of those that were never sent
 */
export async function forgetMails(ctx: { db: Queryable }): Promise<MailKind[]> {
  const expired = ctx.db.select({ id: mails.id }).from(mails).where(lte(mails.expiresAt, sql`now()`)).limit(BATCH_MAX);
  const forgotten = await ctx.db
    .delete(mails)
    .where(inArray(mails.id, expired))
    .returning({ kind: mails.kind, sentAt: mails.sentAt, usedAt: mails.usedAt });
  return forgotten.filter(({ sentAt, usedAt }) => sentAt === null && usedAt === null).map(({ kind }) => kind);
}
