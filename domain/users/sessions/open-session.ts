import { type Authenticators, findAuthenticators } from "../accounts/authenticators.ts";
import { accountNotActive } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { restrictionOf, type SecondFactorUsed } from "../second-factors/second-factors.ts";
import type { IssuedSession } from "./issued-session.ts";
import { deviceOf, rememberDevice } from "./known-devices.ts";
import { logOut } from "./log-out.ts";
import { firstRefreshToken } from "./refresh-token.ts";
import { revokeSession, type SessionClient, storeSession } from "./store.ts";

export interface OpenSessionInput {
  user: Authenticators;
  client: SessionClient;
  /** What was shown besides the password. */
  secondFactor: SecondFactorUsed | undefined;
  /** The refresh token that the browser still has, and which the new one takes the place of: its session ends. */
  replacedToken: string | undefined;
  /** the trace to go on in the consumers of the event that tells of a new device */
  traceparent: string | undefined;
  /** @returns whether what was shown opens the account as it is now */
  isStillRight(now: Authenticators): boolean | Promise<boolean>;
  /** @returns the error for what does not open it any more */
  refusal(userId: string): Error;
}

/**
 * Opens a session for who has shown that the account is theirs. A player is told if it is from a device that is new to the account.
 *
 * @throws AppError `account_suspended`, `account_self_excluded`, `sessions_unavailable`; and `refusal`
 */
export async function openSession(ctx: UsersContext, input: OpenSessionInput): Promise<IssuedSession> {
  const { user, client, secondFactor, replacedToken, traceparent } = input;
  const token = firstRefreshToken(ctx.refreshTokenKey);
  const expiresAt = await storeSession(ctx, token, user, client, secondFactor);
  // Suspended, or opened by something else, since the password was read: whoever did it has ended the sessions before this one.
  const device = deviceOf(ctx.refreshTokenKey, user.id, client);
  const now = await findAuthenticators(ctx.db, user.id, device);
  const isOpen = now?.status === "active" && (await input.isStillRight(now));
  if (!isOpen) {
    await revokeSession(ctx, token.sessionId, user.id);
    throw now === undefined || now.status === "active"
      ? input.refusal(user.id)
      : accountNotActive(now.status, { userId: user.id });
  }
  if (user.role === "player" && !now.isDeviceKnown) {
    try {
      await rememberDevice(ctx, { user, device, userAgent: client.userAgent, traceparent });
    } catch (error) {
      if (now.hasDevices) {
        // Nobody is let in of whom nobody is told.
        await revokeSession(ctx, token.sessionId, user.id);
        throw error;
      }
      ctx.log.warn({ err: error, userId: user.id }, "the first device of an account was not remembered");
    }
  }
  if (replacedToken !== undefined) await endReplaced(ctx, replacedToken, user.id);
  return {
    user: { id: user.id, role: user.role },
    sessionId: token.sessionId,
    restriction: restrictionOf(ctx.secondFactors, user.role, secondFactor),
    refreshToken: token.text,
    expiresAt,
  };
}

/** The login has succeeded whether this does or not. */
async function endReplaced(ctx: UsersContext, cookie: string, userId: string): Promise<void> {
  try {
    await logOut(ctx, { cookie });
  } catch (err) {
    ctx.log.warn({ err, userId }, "the session that a login takes the place of may be left");
  }
}
