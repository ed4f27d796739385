import { eq, sql } from "drizzle-orm";
import { userStatusChanges, users } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import { newEvent } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { UsersContext } from "../context.ts";
import { revokeSessionsOf } from "../sessions/store.ts";
import { type Actor, requireActor } from "./require-actor.ts";
import { type User, type UserStatus, userNotFound } from "./user.ts";

export interface ChangeUserStatusInput {
  userId: string;
  status: UserStatus;
  reason: string;
  actor: Actor;
  requestId?: string | undefined;
  /** the trace to go on in the consumers of the event */
  traceparent: string | undefined;
}

/**
 * Changes a user's status: row, audit entry and PLAYER_STATUS_CHANGED commit together. A user who is not active then
 * loses all sessions. The same status again changes nothing, but ends sessions again.
 *
 * @returns the user after the change
 * @throws AppError `user_not_found`, `own_status`, `admin_required`, and what `requireActor` throws
 */
export async function changeUserStatus(ctx: UsersContext, input: ChangeUserStatusInput): Promise<User> {
  if (input.userId === input.actor.id) {
    throw new AppError("permission_denied", "own_status", "Nobody may change the status of their own account.");
  }
  const user = await writeStatus(ctx, input);
  if (user.status !== "active") await endSessions(ctx, user.id);
  return user;
}

async function writeStatus(ctx: UsersContext, input: ChangeUserStatusInput): Promise<User> {
  const { userId, status, reason, actor, requestId, traceparent } = input;
  return ctx.db.transaction(async (tx) => {
    const { actor: acting, user } = await requireActor(tx, { actor, allowed: ["staff", "admin"], userId });
    if (user === undefined) throw userNotFound();
    if (user.role !== "player" && acting.role !== "admin") {
      throw new AppError("permission_denied", "admin_required", "Only an admin may change the status of staff.");
    }
    if (user.status === status) return user;
    // The statement's clock, not the transaction's start: of two changes that wait for the row, the later one is later.
    const now = sql`clock_timestamp()`;
    await tx.update(users).set({ status, updatedAt: now }).where(eq(users.id, userId));
    const [change] = await tx
      .insert(userStatusChanges)
      .values({ userId, from: user.status, to: status, reason, changedBy: actor.id, changedAt: now })
      .returning({ changedAt: userStatusChanges.changedAt });
    if (change === undefined) throw new Error("insert returned no row");
    await recordAudit(tx, {
      actorId: actor.id,
      requestId,
      action: "changeUserStatus",
      object: { type: "user", id: userId },
      before: { status: user.status },
      after: { status },
      lasting: ["status"],
      reason,
    });
    if (user.role === "player") {
      const event = newEvent("/users", "PLAYER_STATUS_CHANGED", userId, change.changedAt, { playerId: userId, status });
      await enqueueEvents(tx, [event], traceparent);
    }
    return { ...user, status };
  });
}

/**
 * The change has committed, so it is not undone when Redis is away: each refresh reads the status, which bounds what
 * a session that is left can do by the ten minutes of its access token.
 */
async function endSessions(ctx: UsersContext, userId: string): Promise<void> {
  try {
    await revokeSessionsOf(ctx, userId);
  } catch (error) {
    ctx.log.warn({ err: error, userId }, "sessions of a user who is not active were not revoked");
  }
}
