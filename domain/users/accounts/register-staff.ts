import type { StoreContext } from "../context.ts";
import { hashPassword } from "../passwords/passwords.ts";
import { insertUser } from "./insert-user.ts";
import type { User } from "./user.ts";

export interface RegisterStaffInput {
  email: string;
  password: string;
  role: "staff" | "admin";
}

/**
 * Registers a member of the staff. Staff are no players: they have no balance, and no event tells of them.
 *
 * @throws AppError `email_taken`, `passwords_busy`
 */
export async function registerStaff(ctx: StoreContext, input: RegisterStaffInput): Promise<User> {
  const { email, password, role } = input;
  return insertUser(ctx.db, { email, passwordHash: await hashPassword(password), role, currency: ctx.currency });
}
