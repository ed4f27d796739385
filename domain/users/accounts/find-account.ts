import { eq, or, sql } from "drizzle-orm";
import { secondFactors, users } from "../../../drizzle/users/schema.ts";
import { builtOnce, type Queryable } from "../../../lib/postgres.ts";
import { type Authenticators, authenticatorColumns } from "./authenticators.ts";
import { canonicalEmail } from "./email.ts";
import { emailIs } from "./user.ts";

const byForms = builtOnce((db: Queryable) =>
  db
    .select(authenticatorColumns)
    .from(users)
    .leftJoin(secondFactors, eq(secondFactors.userId, users.id))
    .where(or(emailIs(sql.placeholder("written")), emailIs(sql.placeholder("canonical"))))
    .prepare("account-by-email"),
);

/**
 * The account with an address. One that has it as it was written goes first: it was there before domains were stored in one form.
 *
 * @param email as its owner writes it
 */
export async function findAccount(db: Queryable, email: string): Promise<Authenticators | undefined> {
  const found = await byForms(db).execute({ written: email, canonical: canonicalEmail(email) ?? email });
  return found.find((user) => user.email.toLowerCase() === email.toLowerCase()) ?? found[0];
}
