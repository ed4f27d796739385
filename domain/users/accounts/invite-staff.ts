import { and, eq, isNotNull, isNull, sql } from "drizzle-orm";
import { mails, users } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { StoreContext } from "../context.ts";
import { fingerprintOf } from "../mails/link-token.ts";
import { queueMail } from "../mails/queue-mail.ts";
import { NOBODYS_HASH } from "../passwords/passwords.ts";
import { insertUser } from "./insert-user.ts";
import type { RegisterStaffInput } from "./register-staff.ts";
import { requireActor } from "./require-actor.ts";
import { emailIs, type User, userColumns } from "./user.ts";

/**
 * Opens an account for a member of the staff, who chooses its password by the link of a mail (`acceptInvitation`). Until then no password
 * fits. Who has not accepted is invited again, with a role that may be another: then the links before are void.
 *
 * @throws AppError `email_taken`, and what `requireActor` throws
 */
export async function inviteStaff(ctx: StoreContext, input: Omit<RegisterStaffInput, "password">): Promise<User> {
  const { role, actor, requestId } = input;
  return ctx.db.transaction(async (tx) => {
    await requireActor(tx, { actor, allowed: ["admin"] });
    const { user, ...change } = await openOrReopen(tx, { ...input, currency: ctx.currency });
    const fingerprint = fingerprintOf({ email: user.email, passwordHash: NOBODYS_HASH });
    await queueMail(tx, { kind: "staff_invitation", userId: user.id, address: user.email, fingerprint });
    await recordAudit(tx, {
      actorId: actor.id,
      requestId,
      action: "registerStaff",
      object: { type: "user", id: user.id },
      ...change,
      after: { ...change.after, role, invited: true },
      lasting: ["role", "invited"],
    });
    return user;
  });
}

interface Opened {
  user: User;
  /** for the audit, as far as it differs from one invitation to the next */
  before?: { role: string };
  after?: { email: string };
}

/** Of several who invite the same address at once, the others wait for the first one's row, and find it. */
async function openOrReopen(
  tx: Queryable,
  { email, role, currency }: { email: string; role: "staff" | "admin"; currency: string },
): Promise<Opened> {
  const invitedAt = sql`now()`;
  try {
    const user = await insertUser(tx, { email, passwordHash: NOBODYS_HASH, role, currency, invitedAt });
    return { user, after: { email: user.email } };
  } catch (error) {
    if (!(error instanceof AppError && error.code === "email_taken")) throw error;
    // Who has not accepted can't act, so nobody who has locked this row waits for the actor's.
    const [held] = await tx
      .select({ id: users.id, role: users.role })
      .from(users)
      .where(and(emailIs(email), isNotNull(users.invitedAt)))
      .for("no key update");
    if (held === undefined) throw error;
    const [user] = await tx
      .update(users)
      .set({ role, passwordHash: NOBODYS_HASH, invitedAt })
      .where(eq(users.id, held.id))
      .returning(userColumns);
    if (user === undefined) throw new Error("update returned no row");
    await tx
      .update(mails)
      .set({ usedAt: sql`now()` })
      .where(and(eq(mails.userId, held.id), eq(mails.kind, "staff_invitation"), isNull(mails.usedAt)));
    return { user, before: { role: held.role } };
  }
}
