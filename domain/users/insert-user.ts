import { users } from "../../drizzle/users/schema.ts";
import type { Role } from "../../lib/auth/principal.ts";
import { AppError } from "../../lib/errors.ts";
import { PG_UNIQUE_VIOLATION, postgresError, type Queryable } from "../../lib/postgres.ts";
import { type User, userColumns } from "./user.ts";

/**
 * Writes a user's row. The unique index decides who gets an e-mail address; nothing is read first, so no race can
 * break it.
 *
 * @throws AppError `email_taken`
 */
export async function insertUser(
  db: Queryable,
  input: { email: string; passwordHash: string; role: Role; currency: string },
): Promise<User> {
  try {
    const [user] = await db.insert(users).values(input).returning(userColumns);
    if (user === undefined) throw new Error("insert returned no row");
    return user;
  } catch (cause) {
    const violation = postgresError(cause);
    if (violation?.code === PG_UNIQUE_VIOLATION && violation.constraint_name === "users_email_key") {
      throw new AppError("already_exists", "email_taken", "There is an account with this e-mail address already.", {
        cause,
      });
    }
    throw cause;
  }
}
