import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { users } from "../../../drizzle/users/schema.ts";
import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { cursorsOf, toPage } from "../../../lib/cursor.ts";
import type { StoreContext } from "../context.ts";
import { canonicalEmailPrefix } from "./email.ts";
import { type User, type UserStatus, userColumns } from "./user.ts";

const cursors = cursorsOf("users");

export interface SearchUsersInput {
  /** the beginning of an e-mail address in any case, or a whole id */
  q?: string | undefined;
  role?: Role | undefined;
  status?: UserStatus | undefined;
  /** at most this many, 1 to 100 */
  limit: number;
  cursor?: string | undefined;
  searchedBy: Acting;
}

/**
 * Users who fit all filters, the newest first. The audit has who searched and who was found, but not `q`: it may be the address
 * of somebody who has no account, whom nobody could have it forget.
 *
 * @throws AppError `invalid_cursor`
 */
export async function searchUsers(
  ctx: StoreContext,
  input: SearchUsersInput,
): Promise<{ data: User[]; nextCursor: string | null }> {
  const conditions: SQL[] = [];
  if (input.q !== undefined) conditions.push(matches(input.q));
  if (input.role !== undefined) conditions.push(eq(users.role, input.role));
  if (input.status !== undefined) conditions.push(eq(users.status, input.status));
  if (input.cursor !== undefined) conditions.push(lt(users.id, cursors.decode(input.cursor)));
  const rows = await ctx.db
    .select(userColumns)
    .from(users)
    .where(and(...conditions))
    .orderBy(desc(users.id))
    .limit(input.limit + 1);
  const page = toPage(rows, input.limit, (user) => cursors.encode(user.id));
  const { role, status } = input;
  const after = { role, status, found: page.data.map(({ id }) => id) };
  await recordAudit(ctx.db, {
    ...input.searchedBy,
    action: "searchUsers",
    object: { type: "user" },
    after,
    lasting: Object.keys(after),
  });
  return page;
}

function matches(q: string): SQL {
  if (z.guid().safeParse(q).success) return eq(users.id, q);
  const prefix = canonicalEmailPrefix(q).replace(/[\\%_]/g, "\\$&");
  return sql`lower(${users.email}) like lower(${`${prefix}%`})`;
}
