import { and, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mails } from "../../../drizzle/users/schema.ts";
import { newestLink } from "../../../tests/support/links.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  logIn,
  PASSWORD,
} from "../../../tests/support/users-service.ts";
import type { User } from "../accounts/user.ts";
import { verifyEmail } from "../accounts/verify-email.ts";
import { refreshSession } from "./refresh-session.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let requiring: typeof ctx;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  requiring = { ...ctx, requireVerifiedEmail: true };
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const open = (password = PASSWORD, context = requiring) => logIn(context, { email: player.email, password });
const notVerified = { kind: "permission_denied", code: "email_not_verified" };
const verifications = () => and(eq(mails.userId, player.id), eq(mails.kind, "email_verification"));
const sent = () => ctx.db.$count(mails, verifications());
/** As if all that was sent had been sent so many minutes before. */
const passMinutes = (minutes: number) =>
  ctx.db
    .update(mails)
    .set({ createdAt: sql`${mails.createdAt} - ${minutes} * interval '1 minute'` })
    .where(verifications());

test("where it is required, a player logs in once the address is verified", async () => {
  await expect(open()).rejects.toMatchObject(notVerified);
  await verifyEmail(ctx, { token: await newestLink(ctx, player.id, "email_verification") });
  expect((await open()).user.id).toBe(player.id);
});

test("a session from before it was required is not refreshed, and ends", async () => {
  const { refreshToken } = await open(PASSWORD, ctx);
  await expect(refreshSession(requiring, { refreshToken })).rejects.toMatchObject(notVerified);
  await expect(refreshSession(ctx, { refreshToken })).rejects.toMatchObject({ code: "refresh_token_invalid" });
});

test("whoever is refused is sent another link, every 15 minutes at most, also by many logins at once", async () => {
  const refusedAtOnce = async () => {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => open()));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: notVerified });
  };
  await refusedAtOnce(); // that of the registration was just now
  expect(await sent()).toBe(1);
  await passMinutes(14);
  await refusedAtOnce();
  expect(await sent()).toBe(1);
  await passMinutes(1);
  await refusedAtOnce();
  expect(await sent()).toBe(2);
  await verifyEmail(ctx, { token: await newestLink(ctx, player.id, "email_verification") });
  await open();
});

test("a wrong password neither tells that it is required nor sends anything", async () => {
  await passMinutes(20);
  await expect(open("a-wrong-password")).rejects.toMatchObject({ code: "invalid_credentials" });
  expect(await sent()).toBe(1);
});

test("staff are no players: their address is their admin's to know", async () => {
  const { email } = await createStaff(ctx);
  const { refreshToken } = await logIn(requiring, { email, password: PASSWORD });
  await refreshSession(requiring, { refreshToken });
});
