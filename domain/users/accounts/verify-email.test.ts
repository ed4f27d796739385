import { and, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mails, users } from "../../../drizzle/users/schema.ts";
import { newestLink, sendLinks } from "../../../tests/support/links.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  freshEmail,
  logIn,
  PASSWORD,
} from "../../../tests/support/users-service.ts";
import { MAILS_PER_ADDRESS, type MailKind } from "../mails/queue-mail.ts";
import { askPasswordReset } from "../passwords/ask-password-reset.ts";
import { changePassword } from "../passwords/change-password.ts";
import { resetPassword } from "../passwords/reset-password.ts";
import { FAILURES_PER_ACCOUNT } from "../sessions/login-attempts.ts";
import { acceptInvitation } from "./accept-invitation.ts";
import { askEmailChange } from "./ask-email-change.ts";
import { changeUserStatus } from "./change-user-status.ts";
import { getUser } from "./get-user.ts";
import { inviteStaff } from "./invite-staff.ts";
import type { User } from "./user.ts";
import { verifyEmail } from "./verify-email.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const ask = (newEmail: string, currentPassword = PASSWORD, userId = player.id) =>
  askEmailChange(ctx, { userId, newEmail, currentPassword, address: "" });
const linkOf = (kind: MailKind, user = player) => newestLink(ctx, user.id, kind);
const verify = (token: string) => verifyEmail(ctx, { token });
const profile = () => getUser(ctx, { userId: player.id });
const isVerified = async () => (await profile()).emailVerified;
const told = async (kind: MailKind) => {
  const rows = await ctx.db
    .select({ address: mails.address })
    .from(mails)
    .where(and(eq(mails.userId, player.id), eq(mails.kind, kind)));
  return rows.map(({ address }) => address);
};
const linkInvalid = { kind: "invalid_argument", code: "link_invalid" };

/** @returns the link to an address that the player wants */
async function askForLink(newEmail: string): Promise<string> {
  await ask(newEmail);
  return linkOf("email_change");
}

test("who has registered is mailed a link, and with it the address is verified, once; it says nothing of the identity", async () => {
  expect(player).toMatchObject({ emailVerified: false, verified: false });
  expect(await told("email_verification")).toEqual([player.email]);
  const token = await linkOf("email_verification");
  expect(await verify(token)).toEqual({ userId: player.id });
  expect(await profile()).toEqual({ ...player, emailVerified: true });
  await expect(verify(token)).rejects.toMatchObject(linkInvalid);
});

test("a new address becomes the account's with its link, both addresses are told, and the session goes on", async () => {
  const newEmail = freshEmail("New.Address");
  const token = await askForLink(newEmail);
  expect(await profile()).toEqual(player);
  expect(await told("email_change_requested")).toEqual([player.email]);
  await verify(token);
  expect(await profile()).toEqual({ ...player, email: newEmail, emailVerified: true });
  expect(await told("email_changed")).toEqual([player.email]);
  expect((await logIn(ctx, { email: newEmail, password: PASSWORD })).user.id).toBe(player.id);
  await expect(logIn(ctx, { email: player.email, password: PASSWORD })).rejects.toMatchObject({
    code: "invalid_credentials",
  });
});

test("of three who use a link at once one does", async () => {
  for (const token of [await linkOf("email_verification"), await askForLink(freshEmail())]) {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => verify(token)));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(refusals).toEqual([expect.objectContaining(linkInvalid), expect.objectContaining(linkInvalid)]);
  }
  expect(await told("email_changed")).toHaveLength(1);
});

test("a changed address makes every older link void, of whatever kind", async () => {
  const [first, verification] = [await askForLink(freshEmail()), await linkOf("email_verification")];
  await askPasswordReset(ctx, { email: player.email });
  await sendLinks(ctx);
  const reset = await linkOf("password_reset");
  await verify(await askForLink(freshEmail()));
  for (const token of [first, verification]) await expect(verify(token)).rejects.toMatchObject(linkInvalid);
  await expect(resetPassword(ctx, { token: reset, newPassword: `${PASSWORD} 2` })).rejects.toMatchObject(linkInvalid);
});

test("a changed password makes what was asked for with the old one void", async () => {
  const token = await askForLink(freshEmail());
  const { sessionId } = await logIn(ctx, { email: player.email, password: PASSWORD });
  const change = { currentPassword: PASSWORD, newPassword: `${PASSWORD} 2`, address: "" };
  await changePassword(ctx, { ...change, userId: player.id, sessionId });
  await expect(verify(token)).rejects.toMatchObject(linkInvalid);
  expect((await profile()).email).toBe(player.email);
});

test("after a day a link has run out, a forged one never was, and that of another mail is none", async () => {
  const token = await askForLink(freshEmail());
  await askPasswordReset(ctx, { email: player.email });
  await sendLinks(ctx);
  const row = eq(mails.kind, "email_change");
  const [mail] = await ctx.db
    .select()
    .from(mails)
    .where(and(row, eq(mails.userId, player.id)));
  expect(mail && mail.expiresAt.getTime() - mail.createdAt.getTime()).toBe(86_400_000);
  await ctx.db
    .update(mails)
    .set({ expiresAt: sql`now()` })
    .where(and(row, eq(mails.userId, player.id)));
  for (const presented of [token, "nonsense", await linkOf("password_reset")]) {
    await expect(verify(presented)).rejects.toMatchObject(linkInvalid);
  }
  expect(await isVerified()).toBe(false);
});

test("that somebody else has the address is told once the mailbox is proven, and the link stays good until they give it up", async () => {
  const other = await createPlayer(ctx);
  const token = await askForLink(other.email.toUpperCase());
  const taken = { kind: "already_exists", code: "email_taken" };
  await expect(verify(token)).rejects.toMatchObject(taken);
  expect(await profile()).toEqual(player);
  await ctx.db.update(users).set({ email: freshEmail() }).where(eq(users.id, other.id));
  await verify(token);
  expect(await isVerified()).toBe(true);
});

test("of several accounts that want one address at once, one gets it", async () => {
  const wanted = freshEmail();
  const others = await Promise.all(Array.from({ length: 4 }, () => createPlayer(ctx)));
  const tokens = await Promise.all(
    others.map(async (other) => {
      await ask(wanted, PASSWORD, other.id);
      return linkOf("email_change", other);
    }),
  );
  const outcomes = await Promise.allSettled(tokens.map(verify));
  const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
  expect(refusals).toEqual(Array(3).fill("email_taken"));
  expect(await ctx.db.$count(users, eq(users.email, wanted))).toBe(1);
});

test("the own address, in whatever case, is sent a link anew and nothing else", async () => {
  await ask(player.email.toUpperCase());
  expect(await told("email_verification")).toEqual([player.email, player.email]);
  expect([await told("email_change"), await told("email_change_requested")]).toEqual([[], []]);
  await verify(await linkOf("email_verification"));
  expect(await isVerified()).toBe(true);
});

test("without the password nothing is sent, and guesses are counted as those of logins are", async () => {
  const wanted = freshEmail();
  for (let nth = 0; nth < FAILURES_PER_ACCOUNT.points; nth++) {
    await expect(ask(wanted, "a-wrong-password")).rejects.toMatchObject({
      kind: "permission_denied",
      code: "current_password_wrong",
    });
  }
  await expect(ask(wanted)).rejects.toMatchObject({ code: "too_many_attempts" });
  expect([await told("email_change"), await told("email_change_requested")]).toEqual([[], []]);
});

test("so many mails can be asked for to one address", async () => {
  for (let nth = 0; nth < MAILS_PER_ADDRESS.points; nth++) await ask(player.email);
  await expect(ask(player.email)).rejects.toMatchObject({ code: "too_many_attempts" });
});

test("who is suspended asks for nothing", async () => {
  const actor = await createStaff(ctx);
  const change = { userId: player.id, status: "suspended", reason: "a test", actor } as const;
  await changeUserStatus(ctx, { ...change, traceparent: undefined });
  await expect(ask(freshEmail())).rejects.toMatchObject({ code: "account_suspended" });
});

test("an accepted invitation verifies the address too", async () => {
  const actor = await createStaff(ctx, "admin");
  const invited = await inviteStaff(ctx, { email: freshEmail("staff"), role: "staff", actor });
  expect(invited.emailVerified).toBe(false);
  await acceptInvitation(ctx, { token: await linkOf("staff_invitation", invited), password: PASSWORD });
  expect((await getUser(ctx, { userId: invited.id })).emailVerified).toBe(true);
});

test("strangers who ask for a new password in the account's name don't keep its owner from changing the address", async () => {
  for (let asked = 0; asked < MAILS_PER_ADDRESS.points; asked++) await askPasswordReset(ctx, { email: player.email });
  await expect(askPasswordReset(ctx, { email: player.email })).rejects.toMatchObject({ code: "too_many_attempts" });
  await verify(await askForLink(freshEmail()));
});

test("a suspended account's address is not changed by a link from before", async () => {
  const token = await askForLink(freshEmail());
  await ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, player.id));
  await expect(verify(token)).rejects.toMatchObject(linkInvalid);
  expect((await profile()).email).toBe(player.email);
});
