import type { UsersContext } from "../context.ts";
import { revokeOtherSessions } from "./store.ts";

/**
 * Changes what an account is opened with, and ends all of its sessions but one: before the change, so that it does not happen while
 * they can't be ended, and once more after it, for one that was opened meanwhile.
 *
 * @throws AppError `sessions_unavailable`, before anything has changed; and whatever `change` throws
 */
export async function endOtherSessionsAround(
  ctx: UsersContext,
  { userId, sessionId }: { userId: string; sessionId: string },
  change: () => Promise<void>,
): Promise<void> {
  await revokeOtherSessions(ctx, userId, sessionId);
  await change();
  try {
    await revokeOtherSessions(ctx, userId, sessionId);
  } catch (err) {
    ctx.log.warn({ err, userId }, "a session that was opened while the account was changed may be left");
  }
}
