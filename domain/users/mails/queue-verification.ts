import type { Queryable } from "../../../lib/postgres.ts";
import { fingerprintOf } from "./link-token.ts";
import { queueMail } from "./queue-mail.ts";

/** Has a link sent to an account's own address, by which its owner shows that it is theirs. */
export async function queueVerification(
  tx: Queryable,
  { id: userId, email, passwordHash }: { id: string; email: string; passwordHash: string },
): Promise<void> {
  const fingerprint = fingerprintOf({ email, passwordHash });
  await queueMail(tx, { kind: "email_verification", userId, address: email, fingerprint });
}
