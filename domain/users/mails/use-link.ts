import { and, eq, gt, inArray, isNull, sql } from "drizzle-orm";
import { mails, users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { type User, userColumns } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { fingerprintOf, parseLinkToken } from "./link-token.ts";
import type { MailKind } from "./queue-mail.ts";

/** A link that may be used, as it seems. */
export interface Link {
  mailId: string;
  kind: MailKind;
  /** To which it was sent. */
  address: string;
  user: User;
}

/**
 * Looks whether a link may be used, before anything is done that takes time. `takeLink` decides.
 *
 * @param token as somebody sent it
 * @param kinds what it may be for
 * @throws AppError `link_invalid`
 */
export async function findLink(
  ctx: Pick<UsersContext, "db" | "linkKey">,
  token: string,
  kinds: readonly MailKind[],
): Promise<Link> {
  const mailId = parseLinkToken(ctx.linkKey, token);
  if (mailId === undefined) throw linkInvalid();
  const [found] = await ctx.db
    .select({
      ...userColumns,
      passwordHash: users.passwordHash,
      kind: mails.kind,
      address: mails.address,
      fingerprint: mails.fingerprint,
    })
    .from(mails)
    .innerJoin(users, eq(users.id, mails.userId))
    .where(isOpen(mailId, kinds));
  if (found === undefined) throw linkInvalid();
  const { passwordHash, kind, address, fingerprint, ...user } = found;
  if (fingerprint !== fingerprintOf({ email: user.email, passwordHash })) throw linkInvalid(user.id);
  return { mailId, kind, address, user };
}

/**
 * Uses a link up, in the transaction of what it is good for. Whatever makes links void locks the user's row first, as this does:
 * of several at once one goes through, and the others find what it has done.
 *
 * @throws AppError `link_invalid`
 */
export async function takeLink(tx: Queryable, { mailId, kind, user }: Link): Promise<void> {
  const [now] = await tx
    .select({ email: users.email, passwordHash: users.passwordHash })
    .from(users)
    .where(eq(users.id, user.id))
    .for("no key update");
  if (now === undefined) throw linkInvalid(user.id);
  const taken = await tx
    .update(mails)
    .set({ usedAt: sql`now()` })
    .where(and(isOpen(mailId, [kind]), eq(mails.fingerprint, fingerprintOf(now))))
    .returning({ id: mails.id });
  if (taken.length === 0) throw linkInvalid(user.id);
}

const isOpen = (mailId: string, kinds: readonly MailKind[]) =>
  and(eq(mails.id, mailId), inArray(mails.kind, [...kinds]), isNull(mails.usedAt), gt(mails.expiresAt, sql`now()`));

/** @param userId whose it was, where that is known; for the log */
export const linkInvalid = (userId?: string) =>
  new AppError(
    "invalid_argument",
    "link_invalid",
    "This link was used, has run out, or has become void since the address or the password was changed; ask for another.",
    userId === undefined ? {} : { logFields: { userId } },
  );
