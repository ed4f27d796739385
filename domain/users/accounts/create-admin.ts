import { users } from "../../../drizzle/users/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { StoreContext } from "../context.ts";
import { hashPassword } from "../passwords/passwords.ts";
import { insertUser } from "./insert-user.ts";
import { emailIs } from "./user.ts";

/**
 * Makes sure that there is an admin with this e-mail address; one who exists keeps their password. Several may call
 * it at once.
 *
 * @returns whether the admin was created now
 * @throws AppError `email_not_an_admins` if another role has the address
 */
export async function createAdmin(ctx: StoreContext, input: { email: string; password: string }): Promise<boolean> {
  const { email, password } = input;
  try {
    const passwordHash = await hashPassword(password);
    await ctx.db.transaction(async (tx) => {
      const admin = await insertUser(tx, { email, passwordHash, role: "admin", currency: ctx.currency });
      await recordAudit(tx, {
        actorId: null,
        action: "createAdmin",
        object: { type: "user", id: admin.id },
        after: { email: admin.email, role: admin.role },
        lasting: ["role"],
      });
    });
    return true;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "email_taken")) throw error;
    const [holder] = await ctx.db.select({ role: users.role }).from(users).where(emailIs(email));
    if (holder?.role === "admin") return false;
    throw new AppError(
      "failed_precondition",
      "email_not_an_admins",
      `The address belongs to a ${holder?.role ?? "user"}; choose another one for the admin.`,
      { cause: error },
    );
  }
}
