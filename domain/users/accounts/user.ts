import { eq, type Placeholder, sql } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { PlayerStatus } from "../../../lib/events.ts";
import { builtOnce, type Queryable } from "../../../lib/postgres.ts";

export { PLAYER_STATUSES as USER_STATUSES } from "../../../lib/events.ts";
export type UserStatus = PlayerStatus;

/** What is public of a user: everything but the password's hash. */
export const userColumns = {
  id: users.id,
  email: users.email,
  emailVerified: users.emailVerified,
  role: users.role,
  status: users.status,
  balanceMinor: users.balanceMinor,
  currency: users.currency,
  verified: users.verified,
  createdAt: users.createdAt,
};

export type User = Pick<typeof users.$inferSelect, keyof typeof userColumns>;

/** The condition that finds a user by e-mail regardless of case, by the unique index. */
export const emailIs = (email: string | Placeholder) => sql`lower(${users.email}) = lower(${email})`;

const byId = builtOnce((db: Queryable) =>
  db
    .select(userColumns)
    .from(users)
    .where(eq(users.id, sql.placeholder("id")))
    .prepare("user-by-id"),
);

/** @returns the user, undefined if there is none with this id */
export async function findUser(db: Queryable, id: string): Promise<User | undefined> {
  const [user] = await byId(db).execute({ id });
  return user;
}

/** @returns the error for an id that no user has */
export const userNotFound = () => new AppError("not_found", "user_not_found", "There is no user with this id.");

/** @returns the error for a player who has to verify their address before they may use their account */
export const emailNotVerified = (logFields: { userId: string; sessionId?: string }) =>
  new AppError(
    "permission_denied",
    "email_not_verified",
    "Open the link in the mail that was sent to your address, then log in again.",
    { logFields },
  );

/**
 * @param logFields whose account it is, for the log
 * @returns the error for a user who may not use their account in this status
 */
export function accountNotActive(
  status: Exclude<UserStatus, "active">,
  logFields: { userId: string; sessionId?: string },
): AppError {
  switch (status) {
    case "suspended":
      return new AppError("permission_denied", "account_suspended", "This account is suspended; contact the casino.", {
        logFields,
      });
    case "self_excluded":
      return new AppError(
        "permission_denied",
        "account_self_excluded",
        "This account is closed at its owner's own request; contact the casino.",
        { logFields },
      );
  }
}
