import { eq } from "drizzle-orm";
import { users } from "../../../drizzle/users/schema.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { roleNotAllowed } from "../../../lib/auth/role-not-allowed.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { accountNotActive, type User, userColumns } from "./user.ts";

/** Who acts, as their token says: what they may do now, the database says. */
export interface Actor {
  id: string;
  role: Role;
}

/**
 * Reads and locks whoever acts, and whom it is about, before a privileged write. A token says what was true when it was
 * signed; who is suspended since, or has another role, is refused here, however good their token. Both rows are locked in the
 * order of their ids, the actor's shared, so that two who act on each other wait, and the second one finds what the first has done: of two
 * admins who suspend each other one succeeds. An admin who acts is active and no one suspends themselves, so the last active
 * admin stays one.
 *
 * @param tx the transaction of the write; the locks last as long
 * @param options.actor who acts
 * @param options.allowed the roles that may
 * @param options.userId whom it is about, if it is about somebody
 * @returns the user it is about; undefined if there is none
 * @throws AppError `account_suspended`, `account_self_excluded` or `role_not_allowed` for an actor who may not (any more)
 */
export async function requireActor(
  tx: Queryable,
  { actor, allowed, userId }: { actor: Actor; allowed: readonly Role[]; userId?: string },
): Promise<{ actor: User; user: User | undefined }> {
  const found = new Map<string, User>();
  for (const id of userId === undefined ? [actor.id] : [actor.id, userId].sort()) {
    const [user] = await tx
      .select(userColumns)
      .from(users)
      .where(eq(users.id, id))
      .for(id === actor.id ? "share" : "no key update");
    if (user !== undefined) found.set(id, user);
  }
  const acting = found.get(actor.id);
  if (acting === undefined || !allowed.includes(acting.role)) throw roleNotAllowed(allowed.join(" and "));
  if (acting.status !== "active") throw accountNotActive(acting.status, { userId: acting.id });
  return { actor: acting, user: userId === undefined ? undefined : found.get(userId) };
}
