import { AppError } from "../../../lib/errors.ts";
import type { UsersContext } from "../context.ts";
import { revokeSession } from "./store.ts";

/**
 * Ends one session of a user.
 *
 * @throws AppError `session_not_found` if it has ended already, or is another user's; `sessions_unavailable`
 */
export async function endSession(ctx: UsersContext, input: { userId: string; sessionId: string }): Promise<void> {
  if (await revokeSession(ctx, input.sessionId, input.userId)) return;
  throw new AppError("not_found", "session_not_found", "You have no session with this id, or it has ended.");
}
