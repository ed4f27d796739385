/** What a user may do; `admin` includes `staff`. */
export type Role = "player" | "staff" | "admin";

/**
 * Why a session may do next to nothing: `second_factor`, staff who opened it without the second factor that they need. What each
 * may do all the same, the routes say one by one (`requireRole`).
 */
export type Restriction = "second_factor";

/** Access tokens: RFC 9068 `at+jwt`, signed with EdDSA, valid for minutes, verified offline from the JWKS. */
export const ACCESS_TOKEN_TTL_SECONDS = 600;
/** Staff can do more, and are fewer. */
export const STAFF_ACCESS_TOKEN_TTL_SECONDS = 300;
/** Seconds by which the clocks of two machines may differ. */
export const CLOCK_TOLERANCE_SECONDS = 5;

/** Who is calling, as the access token says. */
export interface Principal {
  id: string;
  role: Role;
  /** The session the token belongs to. */
  sessionId: string;
  /** Set where the session may do next to nothing: a `Restriction`, or one that only a newer version knows. */
  restriction?: string | undefined;
  /** When the token was signed, and when it runs out, in seconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
  /** Whether it is known that the session has not ended: false where nothing is heard of sessions that end. */
  isCertain: boolean;
}

/** @returns for how long an access token of this role is valid */
export const accessTokenTtlSeconds = (role: Role): number =>
  role === "player" ? ACCESS_TOKEN_TTL_SECONDS : STAFF_ACCESS_TOKEN_TTL_SECONDS;

export const isStaff = (principal: Principal): boolean => principal.role === "staff" || principal.role === "admin";
