import { z } from "zod";

/** Redis channel on which Users tells that sessions have ended; the gateway closes their sockets with 4401. */
export const SESSION_REVOKED_CHANNEL = "session-revoked";

/** A message of SESSION_REVOKED_CHANNEL, as JSON; `sessionId` null means all sessions of that user. */
export const sessionRevoked = z.object({ userId: z.guid(), sessionId: z.guid().nullable() });

export type SessionRevoked = z.infer<typeof sessionRevoked>;
