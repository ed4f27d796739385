import { eq, sql } from "drizzle-orm";
import { secondFactors, users } from "../../../drizzle/users/schema.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { builtOnce, type Queryable } from "../../../lib/postgres.ts";
import type { UserStatus } from "./user.ts";

/** What an account is opened with, and whether it may be. */
export interface Authenticators {
  id: string;
  email: string;
  role: Role;
  status: UserStatus;
  passwordHash: string;
  /** The second factor's, sealed; null where there is none. */
  sealedSecret: string | null;
}

export const authenticatorColumns = {
  id: users.id,
  email: users.email,
  role: users.role,
  status: users.status,
  passwordHash: users.passwordHash,
  sealedSecret: secondFactors.sealedSecret,
};

const byId = builtOnce((db: Queryable) =>
  db
    .select(authenticatorColumns)
    .from(users)
    .leftJoin(secondFactors, eq(secondFactors.userId, users.id))
    .where(eq(users.id, sql.placeholder("id")))
    .prepare("authenticators-by-id"),
);

/** @returns what an account is opened with now; undefined if there is none with this id */
export async function findAuthenticators(db: Queryable, id: string): Promise<Authenticators | undefined> {
  const [found] = await byId(db).execute({ id });
  return found;
}
