import { eq } from "drizzle-orm";
import { secondFactors } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import { type Actor, requireActor } from "../accounts/require-actor.ts";
import { userNotFound } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { revokeSessionsOf } from "../sessions/store.ts";

/**
 * Takes the second factor from somebody who has lost it, and ends all of their sessions. Where their role needs one they set up
 * another at their next login, with the password. The same again changes nothing, but ends sessions again.
 *
 * @throws AppError `own_second_factor`, `user_not_found`, what `requireActor` throws; `sessions_unavailable` when the factor is gone, but
 * sessions may be left: the same again ends them
 */
export async function resetSecondFactor(
  ctx: UsersContext,
  { userId, reason, actor, requestId }: { userId: string; reason: string; actor: Actor; requestId?: string },
): Promise<void> {
  if (userId === actor.id) {
    throw new AppError(
      "permission_denied",
      "own_second_factor",
      "Nobody may reset their own second factor; put another one in its place, or ask another admin.",
    );
  }
  await ctx.db.transaction(async (tx) => {
    const { user } = await requireActor(tx, { actor, allowed: ["admin"], userId });
    if (user === undefined) throw userNotFound();
    const reset = await tx
      .delete(secondFactors)
      .where(eq(secondFactors.userId, userId))
      .returning({ userId: secondFactors.userId });
    if (reset.length === 0) return;
    await recordAudit(tx, {
      actorId: actor.id,
      requestId,
      action: "resetSecondFactor",
      object: { type: "user", id: userId },
      before: { secondFactor: "totp" },
      after: { secondFactor: null },
      lasting: ["secondFactor"],
      reason,
    });
  });
  await revokeSessionsOf(ctx, userId);
}
