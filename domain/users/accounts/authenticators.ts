import { eq, sql } from "drizzle-orm";
import { knownDevices, secondFactors, users } from "../../../drizzle/users/schema.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { builtOnce, type Queryable } from "../../../lib/postgres.ts";
import type { UserStatus } from "./user.ts";

/** What an account is opened with, and whether it may be. */
export interface Authenticators {
  id: string;
  email: string;
  emailVerified: boolean;
  role: Role;
  status: UserStatus;
  passwordHash: string;
  /** null unless they were invited and have not accepted, so have no password yet. */
  invitedAt: Date | null;
  /** The second factor's, sealed; null where there is none. */
  sealedSecret: string | null;
}

export interface AuthenticatorsNow extends Authenticators {
  /** Whether the account was opened from the device that was asked for. */
  isDeviceKnown: boolean;
  /** Whether it was opened from any. */
  hasDevices: boolean;
}

export const authenticatorColumns = {
  id: users.id,
  email: users.email,
  emailVerified: users.emailVerified,
  role: users.role,
  status: users.status,
  passwordHash: users.passwordHash,
  invitedAt: users.invitedAt,
  sealedSecret: secondFactors.sealedSecret,
};

const byId = builtOnce((db: Queryable) =>
  db
    .select({
      ...authenticatorColumns,
      isDeviceKnown: sql<boolean>`exists (select from ${knownDevices} where ${knownDevices.userId} = ${users.id} and ${knownDevices.device} = ${sql.placeholder("device")})`,
      hasDevices: sql<boolean>`exists (select from ${knownDevices} where ${knownDevices.userId} = ${users.id})`,
    })
    .from(users)
    .leftJoin(secondFactors, eq(secondFactors.userId, users.id))
    .where(eq(users.id, sql.placeholder("id")))
    .prepare("authenticators-by-id"),
);

/**
 * @param device as `deviceOf` says, to learn whether it is known
 * @returns what an account is opened with now; undefined if there is none with this id
 */
export async function findAuthenticators(
  db: Queryable,
  id: string,
  device = "",
): Promise<AuthenticatorsNow | undefined> {
  const [found] = await byId(db).execute({ id, device });
  return found;
}
