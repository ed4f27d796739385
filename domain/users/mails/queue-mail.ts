import { sql } from "drizzle-orm";
import { mails } from "../../../drizzle/users/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { RateLimit } from "../../../lib/rate-limiter.ts";

export type MailKind = typeof mails.$inferSelect.kind;

/** Seconds in which a mail is sent, and its link may be used. */
export const MAIL_LIFETIMES_SECONDS: Record<MailKind, number> = {
  password_reset: 3_600,
  password_changed: 86_400,
  email_verification: 86_400,
  email_change: 86_400,
  email_change_requested: 86_400,
  email_changed: 86_400,
  staff_invitation: 7 * 86_400,
};

/** Asked for by whomever: more of them would be a nuisance to its owner. They have the others, which are good for an hour. */
export const MAILS_PER_ADDRESS: RateLimit = { points: 5, windowSeconds: 3_600 };

export interface QueueMailInput {
  kind: MailKind;
  /** Whose account it is about; null for whoever has the address. */
  userId: string | null;
  address: string;
  /** `fingerprintOf` the account, for a mail with a link; one whose `userId` is null gets its own when it is sent. */
  fingerprint?: string;
}

/** Writes down a mail that is to be sent. In the transaction of what it tells of: both commit, or none. */
export async function queueMail(tx: Queryable, { kind, ...input }: QueueMailInput): Promise<void> {
  const expiresAt = sql`now() + ${MAIL_LIFETIMES_SECONDS[kind]} * interval '1 second'`;
  await tx.insert(mails).values({ kind, expiresAt, ...input });
}
