import { eq } from "drizzle-orm";
import { secondFactors } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import { findAccount } from "../accounts/find-account.ts";
import type { UsersContext } from "../context.ts";
import { revokeSessionsOf } from "../sessions/store.ts";

/**
 * As `resetSecondFactor`, for an operator: when there is no other admin who could.
 *
 * @returns whose it was, and whether they had one
 * @throws AppError `account_not_found`, `sessions_unavailable`
 */
export async function resetLostFactor(
  ctx: Pick<UsersContext, "db" | "replicatedRedis">,
  { email }: { email: string },
): Promise<{ userId: string; hadFactor: boolean }> {
  const user = await findAccount(ctx.db, email);
  if (user === undefined) throw new AppError("not_found", "account_not_found", `No account has the address ${email}.`);
  const hadFactor = await ctx.db.transaction(async (tx) => {
    const reset = await tx
      .delete(secondFactors)
      .where(eq(secondFactors.userId, user.id))
      .returning({ userId: secondFactors.userId });
    if (reset.length === 0) return false;
    await recordAudit(tx, {
      actorId: null,
      action: "resetLostFactor",
      object: { type: "user", id: user.id },
      before: { secondFactor: "totp" },
      after: { secondFactor: null },
      lasting: ["secondFactor"],
    });
    return true;
  });
  await revokeSessionsOf(ctx, user.id);
  return { userId: user.id, hadFactor };
}
