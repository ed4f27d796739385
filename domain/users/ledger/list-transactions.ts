import { and, desc, eq, lt } from "drizzle-orm";
import { transactions } from "../../../drizzle/users/schema.ts";
import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import { cursorsOf, toPage } from "../../../lib/cursor.ts";
import { findUser, userNotFound } from "../accounts/user.ts";
import type { StoreContext } from "../context.ts";

const transactionColumns = {
  id: transactions.id,
  type: transactions.type,
  amountMinor: transactions.amountMinor,
  balanceAfterMinor: transactions.balanceAfterMinor,
  currency: transactions.currency,
  description: transactions.description,
  reference: transactions.reference,
  createdAt: transactions.createdAt,
};

export type Transaction = Pick<typeof transactions.$inferSelect, keyof typeof transactionColumns>;

/**
 * A user's transactions, the newest first.
 *
 * @param input.limit at most this many, 1 to 100
 * @param input.readBy the staff who look at them, for the audit; undefined for one's own
 * @throws AppError `user_not_found`, `invalid_cursor`
 */
export async function listTransactions(
  ctx: StoreContext,
  input: { userId: string; limit: number; cursor?: string | undefined; readBy?: Acting | undefined },
): Promise<{ data: Transaction[]; nextCursor: string | null }> {
  const cursors = cursorsOf(`transactions/${input.userId}`);
  const before = input.cursor === undefined ? undefined : cursors.decode(input.cursor);
  const rows = await ctx.db
    .select(transactionColumns)
    .from(transactions)
    .where(and(eq(transactions.userId, input.userId), before === undefined ? undefined : lt(transactions.id, before)))
    .orderBy(desc(transactions.id))
    .limit(input.limit + 1);
  if (rows.length === 0 && (await findUser(ctx.db, input.userId)) === undefined) throw userNotFound();
  if (input.readBy !== undefined) {
    const object = { type: "user", id: input.userId };
    await recordAudit(ctx.db, { ...input.readBy, action: "listTransactions", object });
  }
  return toPage(rows, input.limit, (row) => cursors.encode(row.id));
}
