import type { UsersContext } from "../context.ts";
import { revokeOtherSessions, revokeSessionsOf } from "./store.ts";

/**
 * Changes what an account is opened with, and ends all of its sessions, or all but one: before the change, so that it does not happen while
 * they can't be ended, and once more after it, for one that was opened meanwhile.
 *
 * @param account.sessionId the one that stays, if one does
 * @throws AppError `sessions_unavailable`, before anything has changed; and whatever `change` throws
 */
export async function endOtherSessionsAround(
  ctx: UsersContext,
  { userId, sessionId }: { userId: string; sessionId?: string },
  change: () => Promise<void>,
): Promise<void> {
  const end = () =>
    sessionId === undefined ? revokeSessionsOf(ctx, userId) : revokeOtherSessions(ctx, userId, sessionId);
  await end();
  await change();
  try {
    await end();
  } catch (err) {
    ctx.log.warn({ err, userId }, "a session that was opened while the account was changed may be left");
  }
}
