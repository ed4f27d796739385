import { registerPlayer } from "../../../../domain/users/accounts/register-player.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";

export interface Input {
  databaseUrl: string;
  /** Players who register at once, or have done so before. */
  emails: string[];
  password: string;
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: VICTIM });
const ctx = { db: watchDatabase(db, reach), currency: "EUR" };
const register = (email: string) =>
  registerPlayer(ctx, { email, password: input.password, traceparent: undefined }).catch((error: unknown) =>
    log.warn({ err: error }, "refused; the others go on"),
  );
await Promise.all(input.emails.map(register));
process.exit(0);
