import type { UsersContext } from "../context.ts";
import { revokeSessionsOf } from "./store.ts";

/**
 * Ends all sessions of a user. Access tokens that are out stay valid until they run out, at most ten minutes.
 *
 * @throws AppError `sessions_unavailable`
 */
export async function logOutEverywhere(ctx: UsersContext, input: { userId: string }): Promise<void> {
  await revokeSessionsOf(ctx, input.userId);
}
