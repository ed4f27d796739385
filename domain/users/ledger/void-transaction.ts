import { eq, sql } from "drizzle-orm";
import { transactions, voidedKeys } from "../../../drizzle/users/schema.ts";
import type { StoreContext } from "../context.ts";
import type { AddTransactionResult } from "./add-transaction.ts";

/**
 * Makes sure that nothing will ever be written under an idempotency key, or finds what was. Whoever writes under the key
 * holds its lock until the commit (the trigger `transactions_key_not_voided`), so one of the two comes first.
 *
 * @returns what was written; undefined if the key is void from now on, which it may have been before
 */
export async function voidTransaction(
  ctx: Pick<StoreContext, "db">,
  input: { idempotencyKey: string },
): Promise<AddTransactionResult | undefined> {
  const { idempotencyKey } = input;
  return ctx.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${idempotencyKey}::text, 0))`);
    const [written] = await tx
      .select({ transactionId: transactions.id, balanceMinor: transactions.balanceAfterMinor })
      .from(transactions)
      .where(eq(transactions.idempotencyKey, idempotencyKey));
    if (written !== undefined) return { ...written, replayed: true };
    await tx.insert(voidedKeys).values({ idempotencyKey }).onConflictDoNothing();
    return undefined;
  });
}
