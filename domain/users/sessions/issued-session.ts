import type { Restriction, Role } from "../../../lib/auth/principal.ts";

/** What a client gets at login and at each refresh. */
export interface IssuedSession {
  user: { id: string; role: Role };
  sessionId: string;
  /** Set where it may do next to nothing. */
  restriction: Restriction | undefined;
  refreshToken: string;
  /** when the session ends; rotating does not extend it */
  expiresAt: Date;
}
