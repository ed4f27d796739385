import { registerPlayer } from "../../../../domain/users/register-player.ts";
import { AppError } from "../../../../lib/errors.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { beginVictim } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";

export interface Input {
  databaseUrl: string;
  /** Players who register at once, or have done so before. */
  emails: string[];
  password: string;
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: "register-victim" });
const ctx = { db: watchDatabase(db, reach), currency: "EUR" };
const register = (email: string) =>
  registerPlayer(ctx, { email, password: input.password, traceparent: undefined }).catch((error: unknown) => {
    if (!(error instanceof AppError && error.code === "email_taken")) throw error;
  });
await Promise.all(input.emails.map(register));
process.exit(0);
