/** What a user may do; `admin` includes `staff`. */
export type Role = "player" | "staff" | "admin";

/** Who is calling, as the access token says. */
export interface Principal {
  id: string;
  role: Role;
  /** The session the token belongs to. */
  sessionId: string;
  /** When the token runs out, in seconds since the epoch. */
  expiresAt: number;
}

export const isStaff = (principal: Principal): boolean => principal.role === "staff" || principal.role === "admin";
