import { and, desc, eq } from "drizzle-orm";
import { linkToken } from "../../domain/users/mails/link-token.ts";
import type { MailKind } from "../../domain/users/mails/queue-mail.ts";
import { sendMails } from "../../domain/users/mails/send-mails.ts";
import { mails } from "../../drizzle/users/schema.ts";
import type { createUsersContext } from "./users-service.ts";

type TestContext = Awaited<ReturnType<typeof createUsersContext>>;

/** Sends what waits in a test's own database to nobody: the links are as good as if their mails had arrived. */
export async function sendLinks(ctx: TestContext): Promise<void> {
  const mail = { send: async () => {} };
  const context = { db: ctx.db, log: ctx.log, mail, linkKey: ctx.linkKey, linksUrl: "https://casino.example" };
  while ((await sendMails(context, { batchMax: 100 })).length > 0);
}

/** @returns the token in the newest mail of a kind about a user; fails if there is none */
export async function newestLink(ctx: TestContext, userId: string, kind: MailKind): Promise<string> {
  const [newest] = await ctx.db
    .select({ id: mails.id })
    .from(mails)
    .where(and(eq(mails.userId, userId), eq(mails.kind, kind)))
    .orderBy(desc(mails.id))
    .limit(1);
  if (newest === undefined) throw new Error(`no mail ${kind} about user ${userId}`);
  return linkToken(ctx.linkKey, newest.id);
}
