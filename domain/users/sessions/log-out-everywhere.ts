import type { UsersContext } from "../context.ts";
import { revokeSessionsOf } from "./store.ts";

/**
 * Ends all sessions of a user. Their access tokens are refused everywhere as soon as each service has heard of it.
 *
 * @throws AppError `sessions_unavailable`
 */
export async function logOutEverywhere(ctx: UsersContext, input: { userId: string }): Promise<void> {
  await revokeSessionsOf(ctx, input.userId);
}
