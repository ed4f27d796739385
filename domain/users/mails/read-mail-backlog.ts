import { and, isNull, sql } from "drizzle-orm";
import { mails } from "../../../drizzle/users/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";

/** What waits to be sent, as metrics: name and help. */
export const MAIL_BACKLOG_GAUGES = {
  mails_waiting: "Mails that are to be sent.",
  mails_oldest_seconds: "Age of the oldest of them; 0 when there is none.",
} as const;

/** @returns how many mails wait to be sent, and for how many seconds the oldest has */
export async function readMailBacklog(ctx: {
  db: Queryable;
}): Promise<Record<keyof typeof MAIL_BACKLOG_GAUGES, number>> {
  const [backlog] = await ctx.db
    .select({
      mails_waiting: sql<number>`count(*)::int`,
      mails_oldest_seconds: sql<number>`coalesce(extract(epoch from now() - min(${mails.createdAt})), 0)::float8`,
    })
    .from(mails)
    .where(and(isNull(mails.sentAt), isNull(mails.usedAt)));
  return backlog ?? { mails_waiting: 0, mails_oldest_seconds: 0 };
}
