import { and, eq, gt, inArray, isNull, lte, sql } from "drizzle-orm";
import { mails } from "../../../drizzle/users/schema.ts";
import { backoffMs } from "../../../lib/backoff.ts";
import { errorCode } from "../../../lib/errors.ts";
import { type MailPort, MailRefusedError } from "../../../lib/mail.ts";
import type { Database } from "../../../lib/postgres.ts";
import type { Logger } from "../../../lib/telemetry/log.ts";
import { findAccount } from "../accounts/find-account.ts";
import { composeMail } from "./compose-mail.ts";
import { fingerprintOf, linkToken } from "./link-token.ts";
import type { MailKind } from "./queue-mail.ts";

/** What the mailer works with. */
export interface MailContext {
  db: Database;
  log: Logger;
  mail: MailPort;
  /** Secret that the tokens of links are made with; the same in all replicas of Users. */
  linkKey: string;
  /** Below which the pages lie that the links lead to. */
  linksUrl: string;
}

/**
 * `refused`: the server will never take it; `unneeded`: nobody has the address, or has accepted their invitation to it; `failed`: it is tried again. Of the first two the mail
 * is forgotten.
 */
export type MailOutcome = "sent" | "refused" | "unneeded" | "failed";

/** Longer than all deadlines of a send, and of the statements around it, together. */
const LEASE_SECONDS = 60;
const FAILURE_BACKOFF = { baseMs: 1_000, maxMs: 60_000 };

type Mail = typeof mails.$inferSelect;

/**
 * Sends mails that are due, side by side. `nextAttemptAt` is a lease: others leave a mail alone that somebody is sending, and no
 * connection is held meanwhile. Who dies between the send and its note leaves a mail that is sent again, with the same text, link and
 * `Message-ID`.
 *
 * @param options.batchMax mails per call
 * @param options.signal gives up what is being sent
 * @returns what became of each that was due
 */
export async function sendMails(
  ctx: MailContext,
  options: { batchMax: number; signal?: AbortSignal },
): Promise<{ kind: MailKind; outcome: MailOutcome }[]> {
  const due = ctx.db
    .select({ id: mails.id })
    .from(mails)
    .where(
      and(
        isNull(mails.sentAt),
        isNull(mails.usedAt),
        lte(mails.nextAttemptAt, sql`now()`),
        gt(mails.expiresAt, sql`now()`),
      ),
    )
    .orderBy(mails.nextAttemptAt)
    .limit(options.batchMax)
    .for("update", { skipLocked: true });
  const taken = await ctx.db
    .update(mails)
    .set({
      nextAttemptAt: sql`now() + ${LEASE_SECONDS} * interval '1 second'`,
      attempts: sql`${mails.attempts} + 1`,
    })
    .where(inArray(mails.id, due))
    .returning();
  return Promise.all(
    taken.map(async (mail) => ({ kind: mail.kind, outcome: await settle(ctx, mail, options.signal) })),
  );
}

async function settle(ctx: MailContext, mail: Mail, signal: AbortSignal | undefined): Promise<MailOutcome> {
  const fields = { mailId: mail.id, kind: mail.kind, userId: mail.userId, attempt: mail.attempts };
  try {
    const addressed = mail.userId === null ? await addressToAccount(ctx, mail) : mail;
    if (addressed === undefined) {
      await forget(ctx, mail);
      return "unneeded";
    }
    fields.userId = addressed.userId;
    await send(ctx, addressed, signal);
    await ctx.db.update(mails).set({ sentAt: sql`now()` }).where(eq(mails.id, mail.id));
    ctx.log.info(fields, "mail sent");
    return "sent";
  } catch (error) {
    const reason = reasonOf(error);
    if (error instanceof MailRefusedError) {
      ctx.log.warn({ ...fields, ...reason }, "mail refused");
      await forget(ctx, mail).catch((err: unknown) => ctx.log.warn({ err, ...fields }, "a refused mail stays"));
      return "refused";
    }
    ctx.log.warn({ ...fields, ...reason }, "mail not sent yet");
    await putOff(ctx, mail).catch(() => {}); // then its lease has to run out
    return "failed";
  }
}

async function send(ctx: MailContext, { id, kind, address, expiresAt }: Mail, signal: AbortSignal | undefined) {
  const token = linkToken(ctx.linkKey, id);
  await ctx.mail.send({ id, to: address, ...composeMail({ kind, linksUrl: ctx.linksUrl, token, expiresAt }) }, signal);
}

/** Who asked did not learn whether anybody has the address; that is looked up here, where no answer waits for it. */
async function addressToAccount(ctx: MailContext, mail: Mail): Promise<Mail | undefined> {
  const user = await findAccount(ctx.db, mail.address);
  // Who was invited chooses a first password by that mail, which an admin can send again.
  if (user === undefined || user.invitedAt !== null) return undefined;
  const addressed = { userId: user.id, address: user.email, fingerprint: fingerprintOf(user) };
  await ctx.db.update(mails).set(addressed).where(eq(mails.id, mail.id));
  return { ...mail, ...addressed };
}

async function forget(ctx: MailContext, mail: Mail): Promise<void> {
  await ctx.db.delete(mails).where(eq(mails.id, mail.id));
}

async function putOff(ctx: MailContext, mail: Mail): Promise<void> {
  const waitMs = backoffMs(mail.attempts - 1, FAILURE_BACKOFF);
  await ctx.db
    .update(mails)
    .set({ nextAttemptAt: sql`now() + ${waitMs} * interval '1 millisecond'` })
    .where(eq(mails.id, mail.id));
}

/** Not the error itself: a server's answer often has the address in it. */
function reasonOf(error: unknown) {
  const cause = error instanceof MailRefusedError ? error.cause : error;
  const { command, responseCode } = cause as { command?: unknown; responseCode?: unknown };
  return { reason: errorCode(cause) ?? (cause as Error).name, command, responseCode };
}
