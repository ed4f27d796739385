import { recordAudit } from "../../../lib/audit/record.ts";
import type { StoreContext } from "../context.ts";
import { hashPassword } from "../passwords/passwords.ts";
import { insertUser } from "./insert-user.ts";
import { type Actor, requireActor } from "./require-actor.ts";
import type { User } from "./user.ts";

export interface RegisterStaffInput {
  email: string;
  password: string;
  role: "staff" | "admin";
  actor: Actor;
  requestId?: string | undefined;
}

/**
 * Registers a member of the staff. Staff are no players: they have no balance, and no event tells of them.
 *
 * @throws AppError `email_taken`, `passwords_busy`, and what `requireActor` throws
 */
export async function registerStaff(ctx: StoreContext, input: RegisterStaffInput): Promise<User> {
  const { email, password, role, actor, requestId } = input;
  // Before the hash: no connection is held while it is made, and afterwards the actor may be another.
  const passwordHash = await hashPassword(password);
  return ctx.db.transaction(async (tx) => {
    await requireActor(tx, { actor, allowed: ["admin"] });
    const user = await insertUser(tx, { email, passwordHash, role, currency: ctx.currency });
    await recordAudit(tx, {
      actorId: actor.id,
      requestId,
      action: "registerStaff",
      object: { type: "user", id: user.id },
      after: { email: user.email, role },
      lasting: ["role"],
    });
    return user;
  });
}
