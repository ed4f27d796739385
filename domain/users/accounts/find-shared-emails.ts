import { sql } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { StoreContext } from "../context.ts";
import { canonicalEmail } from "./email.ts";

/**
 * Looks for accounts whose addresses are one in the form in which they are stored now, though they are two in the table: one has
 * its domain in Unicode. Nothing is changed, since only the casino can tell whose account is whose.
 *
 * @returns the ids of each such address's users, the oldest first
 */
export async function findSharedEmails(ctx: Pick<StoreContext, "db">): Promise<string[][]> {
  const inUnicode = await ctx.db
    .select({ email: users.email })
    .from(users)
    .where(sql`octet_length(${users.email}) > char_length(${users.email})`);
  const forms = new Set(inUnicode.flatMap(({ email }) => [lower(email), storedForm(email)]));
  if (forms.size === 0) return [];
  const holders = await ctx.db
    .select({ id: users.id, email: users.email })
    .from(users)
    .where(sql`lower(${users.email}) = any(${sql.param([...forms])}::text[])`)
    .orderBy(users.id);
  const byAddress = Map.groupBy(holders, ({ email }) => storedForm(email));
  return [...byAddress.values()].filter(({ length }) => length > 1).map((group) => group.map(({ id }) => id));
}

const lower = (email: string): string => email.toLowerCase();
const storedForm = (email: string): string => lower(canonicalEmail(email) ?? email);
