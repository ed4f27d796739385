import { and, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mails, users } from "../../../drizzle/users/schema.ts";
import { findAuditEntries } from "../../../lib/audit/find-entries.ts";
import { auditEntries } from "../../../lib/audit/schema.ts";
import { newestLink, sendLinks } from "../../../tests/support/links.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  freshEmail,
  logIn,
  PASSWORD,
} from "../../../tests/support/users-service.ts";
import { askPasswordReset } from "../passwords/ask-password-reset.ts";
import { acceptInvitation } from "./accept-invitation.ts";
import { changeUserStatus } from "./change-user-status.ts";
import { getUser } from "./get-user.ts";
import { inviteStaff } from "./invite-staff.ts";
import { registerStaff } from "./register-staff.ts";
import type { User } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let admin: User;
let email: string;
beforeAll(async () => {
  ctx = await createUsersContext();
  admin = await createStaff(ctx, "admin");
});
afterAll(() => ctx.stop());
beforeEach(() => {
  email = freshEmail("staff");
});

const invite = (role: "staff" | "admin" = "staff", actor = admin) => inviteStaff(ctx, { email, role, actor });
const linkOf = ({ id }: User) => newestLink(ctx, id, "staff_invitation");
const accept = (token: string, password = PASSWORD) => acceptInvitation(ctx, { token, password });
const open = (password = PASSWORD) => logIn(ctx, { email, password });
const audit = async (userId: string) => (await findAuditEntries(ctx.db, { objectId: userId, limit: 10 })).data;

test("who is invited chooses their password by the link, once, and then logs in; for a week", async () => {
  const invited = await invite("admin");
  expect(invited).toMatchObject({ email, role: "admin", status: "active" });
  await expect(open()).rejects.toMatchObject({ code: "invalid_credentials" });
  const [mail] = await ctx.db.select().from(mails).where(eq(mails.userId, invited.id));
  expect(mail && mail.expiresAt.getTime() - mail.createdAt.getTime()).toBe(7 * 86_400_000);
  const token = await linkOf(invited);
  expect(await accept(token)).toEqual({ userId: invited.id });
  expect((await open()).user).toEqual({ id: invited.id, role: "admin" });
  await expect(accept(token, `${PASSWORD} 2`)).rejects.toMatchObject({
    kind: "invalid_argument",
    code: "link_invalid",
  });
});

test("of three who accept at once one does", async () => {
  const token = await linkOf(await invite());
  const outcomes = await Promise.allSettled([1, 2, 3].map((nth) => accept(token, `${PASSWORD} ${nth}`)));
  const winners = outcomes.flatMap(({ status }, index) => (status === "fulfilled" ? [index + 1] : []));
  expect(winners).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "link_invalid" });
  }
  await open(`${PASSWORD} ${winners[0]}`);
});

test("the same address again is the same account, in its new role, and the links before are void", async () => {
  const first = await invite();
  const older = await linkOf(first);
  const again = await invite("admin");
  expect(again).toEqual({ ...first, role: "admin" });
  await expect(accept(older)).rejects.toMatchObject({ code: "link_invalid" });
  await accept(await linkOf(again));
  expect((await open()).user).toEqual({ id: first.id, role: "admin" });
});

test("several invitations of one address at once are one account, of which one link is good", async () => {
  const invited = await Promise.all(Array.from({ length: 6 }, () => invite()));
  expect(new Set(invited.map(({ id }) => id)).size).toBe(1);
  const [{ id } = admin] = invited;
  const rows = await ctx.db.select({ usedAt: mails.usedAt }).from(mails).where(eq(mails.userId, id));
  expect(rows.filter(({ usedAt }) => usedAt === null)).toHaveLength(1);
  expect(rows).toHaveLength(6);
});

test("who has accepted, or has registered, is not invited again", async () => {
  const invited = await invite();
  await accept(await linkOf(invited));
  await expect(invite("admin")).rejects.toMatchObject({ kind: "already_exists", code: "email_taken" });
  email = (await createPlayer(ctx)).email;
  await expect(invite()).rejects.toMatchObject({ code: "email_taken" });
  expect((await getUser(ctx, { userId: invited.id })).role).toBe("staff");
});

test("no password is registered over an invitation", async () => {
  const token = await linkOf(await invite());
  await expect(
    registerStaff(ctx, { email, password: `${PASSWORD} 2`, role: "admin", actor: admin }),
  ).rejects.toMatchObject({ code: "email_taken" });
  await accept(token);
  await open();
});

test("only admins invite, as they are now", async () => {
  const [staff, suspended] = [await createStaff(ctx), await createStaff(ctx, "admin")];
  await changeUserStatus(ctx, {
    userId: suspended.id,
    status: "suspended",
    reason: "a test",
    actor: admin,
    traceparent: undefined,
  });
  await expect(invite("staff", { ...staff, role: "admin" })).rejects.toMatchObject({ code: "role_not_allowed" });
  await expect(invite("staff", suspended)).rejects.toMatchObject({ code: "account_suspended" });
  expect(await ctx.db.$count(users, eq(users.email, email))).toBe(0);
});

test("a suspended account stays suspended", async () => {
  const invited = await invite();
  const change = { userId: invited.id, status: "suspended", reason: "a test", actor: admin } as const;
  await changeUserStatus(ctx, { ...change, traceparent: undefined });
  await accept(await linkOf(invited));
  await expect(open()).rejects.toMatchObject({ code: "account_suspended" });
});

test("the own address is no password, and the link of another mail is none", async () => {
  const token = await linkOf(await invite());
  await expect(accept(token, email)).rejects.toMatchObject({ code: "password_is_address" });
  const player = await createPlayer(ctx);
  await askPasswordReset(ctx, { email: player.email });
  await sendLinks(ctx);
  const reset = await newestLink(ctx, player.id, "password_reset");
  await expect(accept(reset)).rejects.toMatchObject({ code: "link_invalid" });
});

test("who has not accepted is sent no link for a forgotten password", async () => {
  const invited = await invite();
  const resets = () => ctx.db.$count(mails, and(eq(mails.kind, "password_reset"), eq(mails.address, email)));
  await askPasswordReset(ctx, { email });
  expect(await resets()).toBe(1);
  await sendLinks(ctx);
  expect(await resets()).toBe(0);
  await accept(await linkOf(invited));
  await askPasswordReset(ctx, { email });
  await sendLinks(ctx);
  expect(await resets()).toBe(1);
});

test("each invitation is in the audit, the address only in what may be forgotten", async () => {
  const invited = await invite();
  await invite("admin");
  const entries = await audit(invited.id);
  expect(entries).toMatchObject([
    { action: "registerStaff", before: { role: "staff" }, after: { role: "admin", invited: true } },
    { action: "registerStaff", actorId: admin.id, before: null, after: { email, role: "staff", invited: true } },
  ]);
  expect(entries[0]?.after).not.toHaveProperty("email");
  const lasting = await ctx.db.select().from(auditEntries).where(eq(auditEntries.objectId, invited.id));
  expect(lasting).toHaveLength(2);
  expect(JSON.stringify(lasting)).not.toContain(email);
});
