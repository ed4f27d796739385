import { eq, or } from "drizzle-orm";
import { secondFactors, users } from "../../../drizzle/users/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { type Authenticators, authenticatorColumns } from "./authenticators.ts";
import { canonicalEmail } from "./email.ts";
import { emailIs } from "./user.ts";

/**
 * The account with an address. One that has it as it was written goes first: it was there before domains were stored in one form.
 *
 * @param email as its owner writes it
 */
export async function findAccount(db: Queryable, email: string): Promise<Authenticators | undefined> {
  const forms = new Set([email, canonicalEmail(email) ?? email].map((form) => form.toLowerCase()));
  const found = await db
    .select(authenticatorColumns)
    .from(users)
    .leftJoin(secondFactors, eq(secondFactors.userId, users.id))
    .where(or(...[...forms].map(emailIs)));
  return found.find((user) => user.email.toLowerCase() === email.toLowerCase()) ?? found[0];
}
