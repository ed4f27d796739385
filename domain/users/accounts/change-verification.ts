import { eq, sql } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import { newEvent } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { StoreContext } from "../context.ts";
import { type Actor, requireActor } from "./require-actor.ts";
import { type User, userNotFound } from "./user.ts";

export interface ChangeVerificationInput {
  userId: string;
  verified: boolean;
  /** how the identity was checked, or why it does not count any more */
  method: string;
  reason: string;
  actor: Actor;
  requestId?: string | undefined;
  /** the trace to go on in the consumers of the event */
  traceparent: string | undefined;
}

/**
 * Says whether a player's identity has been verified, whatever their status: row, audit entry and PLAYER_VERIFICATION_CHANGED
 * commit together. The same again changes nothing. An address that was confirmed is another matter.
 *
 * @returns the player after the change
 * @throws AppError `user_not_found`, `not_a_player`, and what `requireActor` throws
 */
export async function changeVerification(ctx: StoreContext, input: ChangeVerificationInput): Promise<User> {
  const { userId, verified, method, reason, actor, requestId, traceparent } = input;
  return ctx.db.transaction(async (tx) => {
    const { user } = await requireActor(tx, { actor, allowed: ["staff", "admin"], userId });
    if (user === undefined) throw userNotFound();
    if (user.role !== "player") {
      throw new AppError("failed_precondition", "not_a_player", "Only the identity of players is verified.");
    }
    if (user.verified === verified) return user;
    // The statement's clock, not the transaction's start: of two changes that wait for the row, the later one is later.
    const now = sql`clock_timestamp()`;
    const [changed] = await tx
      .update(users)
      .set({ verified, verificationChangedAt: now, updatedAt: now })
      .where(eq(users.id, userId))
      .returning({ at: users.verificationChangedAt });
    if (!changed?.at) throw new Error("update returned no time");
    await recordAudit(tx, {
      actorId: actor.id,
      requestId,
      action: "changeVerification",
      object: { type: "user", id: userId },
      before: { verified: user.verified },
      after: { verified, method },
      lasting: ["verified"],
      reason,
    });
    const event = newEvent("/users", "PLAYER_VERIFICATION_CHANGED", userId, changed.at, { playerId: userId, verified });
    await enqueueEvents(tx, [event], traceparent);
    return { ...user, verified };
  });
}
