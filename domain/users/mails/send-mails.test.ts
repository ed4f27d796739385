import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mails } from "../../../drizzle/users/schema.ts";
import { connectMail, type MailPort } from "../../../lib/mail.ts";
import { createLogger } from "../../../lib/telemetry/log.ts";
import { tokenIn } from "../../../tests/support/mails.ts";
import { startSmtp } from "../../../tests/support/smtp.ts";
import { until } from "../../../tests/support/until.ts";
import { createUsersContext, freshEmail, silentLog } from "../../../tests/support/users-service.ts";
import { insertUser } from "../accounts/insert-user.ts";
import { parseLinkToken } from "./link-token.ts";
import { queueMail } from "./queue-mail.ts";
import { type MailContext, sendMails } from "./send-mails.ts";

const LINKS_URL = "https://casino.example/account";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

const mailer = (mail: MailPort | { url: string }, log = silentLog): MailContext => ({
  db: ctx.db,
  log,
  mail: "send" in mail ? mail : connectMail({ url: mail.url, from: "Casino <no-reply@casino.example>" }),
  linkKey: ctx.linkKey,
  linksUrl: LINKS_URL,
});

/** What is sent of a player who has forgotten their password, whatever else waits. */
async function queueReset(address?: string) {
  const to = address ?? freshEmail();
  // Not registered, which would write a mail of its own.
  const player = { email: to, passwordHash: "none", role: "player", currency: ctx.currency } as const;
  const userId = address === undefined ? (await insertUser(ctx.db, player)).id : undefined;
  await queueMail(ctx.db, { kind: "password_reset", userId: null, address: to });
  return { to, userId };
}

const rowsTo = (address: string) => ctx.db.select().from(mails).where(eq(mails.address, address));
const isSent = (address: string) => async () => {
  const rows = await rowsTo(address);
  return rows.length > 0 && rows.every(({ sentAt }) => sentAt !== null);
};

/** Sends until nothing is due, as the mailer does. */
async function sendAll(context: MailContext) {
  const outcomes = [];
  for (;;) {
    const batch = await sendMails(context, { batchMax: 10 });
    if (batch.length === 0) return outcomes.map(({ outcome }) => outcome);
    outcomes.push(...batch);
  }
}

/** As if its wait were over. */
const makeDue = (address: string) =>
  ctx.db.update(mails).set({ nextAttemptAt: sql`now()` }).where(eq(mails.address, address));

test("a mail is sent to the address, with a link of its own in the fragment", async () => {
  const smtp = await startSmtp();
  const { to, userId } = await queueReset();
  await sendAll(mailer(smtp));
  const [mail, ...more] = smtp.received.filter((mail) => mail.to === to);
  expect(more).toEqual([]);
  expect(mail).toMatchObject({ subject: "Choose a new password" });
  const token = tokenIn(mail?.text ?? "");
  expect(mail?.text).toContain(`${LINKS_URL}/reset-password#token=${token}\n`);
  const [row] = await rowsTo(to);
  expect(row).toMatchObject({ userId, sentAt: expect.any(Date), usedAt: null, id: parseLinkToken(ctx.linkKey, token) });
  expect(mail?.messageId).toBe(`<${row?.id}@casino.example>`);
  expect(JSON.stringify(row)).not.toContain(token);
  await smtp.stop();
});

test("of an address that nobody has, nothing is sent and nothing is kept", async () => {
  const smtp = await startSmtp();
  const { to } = await queueReset(freshEmail());
  expect(await sendAll(mailer(smtp))).toContain("unneeded");
  expect(smtp.received.filter((mail) => mail.to === to)).toEqual([]);
  expect(await rowsTo(to)).toEqual([]);
  await smtp.stop();
});

test("several mailers send each mail once", async () => {
  const smtp = await startSmtp();
  const queued = await Promise.all(Array.from({ length: 20 }, () => queueReset()));
  await Promise.all([1, 2, 3, 4].map(() => sendAll(mailer(smtp))));
  const addresses = queued.map(({ to }) => to).sort();
  const received = smtp.received.map(({ to }) => to).filter((to) => addresses.includes(to));
  expect(received.sort()).toEqual(addresses);
  await smtp.stop();
});

test("while the server is away a mail waits, and is sent when it is back", async () => {
  const smtp = await startSmtp();
  await smtp.stop();
  const { to } = await queueReset();
  expect(await sendAll(mailer(smtp))).toContain("failed");
  const [row] = await rowsTo(to);
  expect(row?.sentAt).toBeNull();
  expect(row?.nextAttemptAt.getTime()).toBeGreaterThan(Date.now());
  await smtp.start();
  await until("the mail is sent", async () => {
    await sendAll(mailer(smtp));
    return isSent(to)();
  });
  expect(smtp.received.filter((mail) => mail.to === to)).toHaveLength(1);
  await smtp.stop();
});

test("one that the server took without saying so is sent again, as the same mail", async () => {
  const smtp = await startSmtp({ losesAnswers: 1 });
  const { to } = await queueReset();
  await until("the mail is sent", async () => {
    await sendAll(mailer(smtp));
    return isSent(to)();
  });
  const [first, second, ...more] = smtp.received.filter((mail) => mail.to === to);
  expect(more).toEqual([]);
  expect(second).toEqual(first);
  await smtp.stop();
});

test("one that the server will never take is forgotten, and the log does not say whose it was", async () => {
  const { to } = await queueReset();
  const other = await queueReset();
  const smtp = await startSmtp({ refuses: [to] });
  const lines: string[] = [];
  const log = createLogger({ name: "test", instance: "test", level: "debug" }, { write: (line) => lines.push(line) });
  expect(await sendAll(mailer(smtp, log))).toContain("refused");
  expect(await rowsTo(to)).toEqual([]);
  expect(await isSent(other.to)()).toBe(true);
  expect(lines.join("")).toContain('"responseCode":550');
  expect(lines.join("")).not.toContain("@");
  await smtp.stop();
});

test("a mail that somebody is sending is left alone, and one that expired is not sent any more", async () => {
  const smtp = await startSmtp();
  const [slow, expired] = [await queueReset(), await queueReset()];
  await ctx.db.update(mails).set({ expiresAt: sql`now()` }).where(eq(mails.address, expired.to));
  const frozen = Promise.withResolvers<void>();
  const held = sendMails(mailer({ send: () => frozen.promise }), { batchMax: 100 });
  await until("it is being sent", async () => (await rowsTo(slow.to)).some(({ attempts }) => attempts === 1));
  await sendAll(mailer(smtp));
  expect(smtp.received.filter(({ to }) => [slow.to, expired.to].includes(to))).toEqual([]);
  frozen.resolve();
  await held;
  expect(await isSent(slow.to)()).toBe(true);
  await makeDue(slow.to);
  await sendAll(mailer(smtp));
  expect(smtp.received.filter(({ to }) => to === slow.to)).toEqual([]);
  await smtp.stop();
});
