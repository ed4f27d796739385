import type { SQL } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { emailIs, type User, userColumns } from "./user.ts";

/**
 * Writes a user's row. The unique index decides who gets an e-mail address; nothing is read first, so no race can
 * break it. The index is not let fail, since PostgreSQL would write the address into its log.
 *
 * @throws AppError `email_taken`
 */
export async function insertUser(
  db: Queryable,
  input: { email: string; passwordHash: string; role: Role; currency: string; invitedAt?: SQL },
): Promise<User> {
  const [user] = await db.insert(users).values(input).onConflictDoNothing().returning(userColumns);
  if (user !== undefined) return user;
  const [holder] = await db.select({ id: users.id }).from(users).where(emailIs(input.email));
  throw emailTaken(holder?.id);
}

/** @returns the error for an address that somebody has, for the log: who */
export const emailTaken = (userId?: string) =>
  new AppError("already_exists", "email_taken", "There is an account with this e-mail address already.", {
    logFields: { userId },
  });
