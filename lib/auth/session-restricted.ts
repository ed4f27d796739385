import { AppError } from "../errors.ts";
import type { Principal, Restriction } from "./principal.ts";

/** What somebody in such a session can do about it. */
const ADVICE: Record<Restriction, string> = {
  second_factor:
    "This session was opened without the second factor that your role needs: set one up with POST /users/api/v1/auth/totp, " +
    "then log in with it.",
};

/** @returns the error for a restricted session that asks for more than it may */
export function sessionRestricted({ id, sessionId, restriction }: Principal): AppError {
  const advice = ADVICE[restriction as Restriction] ?? "This session may do next to nothing.";
  return new AppError("permission_denied", "session_restricted", advice, { logFields: { principalId: id, sessionId } });
}
