import { and, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mails } from "../../../drizzle/users/schema.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { newestLink, sendLinks } from "../../../tests/support/links.ts";
import { connectCounted } from "../../../tests/support/round-trips.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  freshEmail,
  logIn,
  PASSWORD,
  sessionsOn,
  unreachableRedis,
} from "../../../tests/support/users-service.ts";
import { changeUserStatus } from "../accounts/change-user-status.ts";
import { getUser } from "../accounts/get-user.ts";
import type { User } from "../accounts/user.ts";
import { MAILS_PER_ADDRESS } from "../mails/queue-mail.ts";
import { refreshSession } from "../sessions/refresh-session.ts";
import { askPasswordReset } from "./ask-password-reset.ts";
import { changePassword } from "./change-password.ts";
import { resetPassword } from "./reset-password.ts";

const NEW = "another-password-of-mine";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const open = (password: string) => logIn(ctx, { email: player.email, password });
const ask = () => askPasswordReset(ctx, { email: player.email });

/** Asks for a link and takes it out of the mail. */
async function askForLink(): Promise<string> {
  await ask();
  await sendLinks(ctx);
  return newestLink(ctx, player.id, "password_reset");
}

test("with the link of the mail a new password is chosen, once, and all sessions end", async () => {
  const session = await open(PASSWORD);
  const token = await askForLink();
  await resetPassword(ctx, { token, newPassword: NEW });
  await expect(open(PASSWORD)).rejects.toMatchObject({ code: "invalid_credentials" });
  expect((await open(NEW)).user.id).toBe(player.id);
  await expect(refreshSession(ctx, { refreshToken: session.refreshToken })).rejects.toMatchObject({
    code: "refresh_token_invalid",
  });
  await expect(resetPassword(ctx, { token, newPassword: `${NEW} 2` })).rejects.toMatchObject({ code: "link_invalid" });
  const told = await ctx.db.select({ kind: mails.kind, address: mails.address }).from(mails).where(ofPlayer());
  expect(told).toContainEqual({ kind: "password_changed", address: player.email });
  const events = await ctx.db.select({ event: outbox.event }).from(outbox).where(eq(outbox.key, player.id));
  expect(events.map(({ event }) => event)).toContainEqual(
    expect.objectContaining({ type: "ACCOUNT", data: { kind: "password_changed" } }),
  );
  expect((await getUser(ctx, { userId: player.id })).emailVerified).toBe(true);
});

const ofPlayer = () => eq(mails.userId, player.id);

test("of two at once one goes through, and the other is told", async () => {
  const token = await askForLink();
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((nth) => resetPassword(ctx, { token, newPassword: `${NEW} ${nth}` })),
  );
  const winners = outcomes.flatMap(({ status }, index) => (status === "fulfilled" ? [index + 1] : []));
  expect(winners).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "link_invalid" });
  }
  expect((await open(`${NEW} ${winners[0]}`)).user.id).toBe(player.id);
});

test("one that is used makes all others of the account void, and so does a changed password", async () => {
  const [first, second] = [await askForLink(), await askForLink()];
  expect(second).not.toBe(first);
  await resetPassword(ctx, { token: second, newPassword: NEW });
  await expect(resetPassword(ctx, { token: first, newPassword: `${NEW} 2` })).rejects.toMatchObject({
    code: "link_invalid",
  });
  const third = await askForLink();
  const session = await open(NEW);
  await changePassword(ctx, {
    userId: player.id,
    sessionId: session.sessionId,
    currentPassword: NEW,
    newPassword: `${NEW} 3`,
    address: "",
  });
  await expect(resetPassword(ctx, { token: third, newPassword: NEW })).rejects.toMatchObject({ code: "link_invalid" });
  expect((await open(`${NEW} 3`)).user.id).toBe(player.id);
});

test("after an hour it has run out, and a forged one never was", async () => {
  const token = await askForLink();
  const ofReset = and(ofPlayer(), eq(mails.kind, "password_reset"));
  const [row] = await ctx.db.select().from(mails).where(ofReset);
  expect(row && row.expiresAt.getTime() - row.createdAt.getTime()).toBe(3_600_000);
  await ctx.db.update(mails).set({ expiresAt: sql`now()` }).where(ofReset);
  for (const presented of [token, `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`, "nonsense"]) {
    await expect(resetPassword(ctx, { token: presented, newPassword: NEW })).rejects.toMatchObject({
      kind: "invalid_argument",
      code: "link_invalid",
    });
  }
  expect((await open(PASSWORD)).user.id).toBe(player.id);
});

test("a suspended account stays suspended", async () => {
  const admin = await createStaff(ctx, "admin");
  const token = await askForLink();
  await changeUserStatus(ctx, {
    userId: player.id,
    status: "suspended",
    reason: "a test",
    actor: { id: admin.id, role: "admin" },
    traceparent: undefined,
  });
  await resetPassword(ctx, { token, newPassword: NEW });
  await expect(open(NEW)).rejects.toMatchObject({ code: "account_suspended" });
});

test("the own address is no password", async () => {
  const token = await askForLink();
  await expect(resetPassword(ctx, { token, newPassword: player.email })).rejects.toMatchObject({
    code: "password_is_address",
  });
});

test("while sessions can't be ended nothing changes, and the link stays good", async () => {
  const token = await askForLink();
  const redis = unreachableRedis();
  try {
    await expect(resetPassword({ ...ctx, ...sessionsOn(redis) }, { token, newPassword: NEW })).rejects.toMatchObject({
      code: "sessions_unavailable",
    });
  } finally {
    redis.disconnect();
  }
  await resetPassword(ctx, { token, newPassword: NEW });
});

test("to ask takes the same statement, whether anybody has the address or not", async () => {
  const counted = await connectCounted(ctx.databaseUrl);
  try {
    const counting = { ...ctx, db: counted.db };
    await askPasswordReset(counting, { email: freshEmail() });
    expect(await counted.roundTripsOf(() => askPasswordReset(counting, { email: player.email }))).toBe(1);
    expect(await counted.roundTripsOf(() => askPasswordReset(counting, { email: freshEmail() }))).toBe(1);
  } finally {
    await counted.close();
  }
});

test("to one address so many can be asked for, whether anybody has it or not, in whatever form it is written", async () => {
  const unknown = freshEmail();
  for (const email of [player.email, unknown]) {
    const forms = [email, email.toUpperCase()];
    for (let nth = 0; nth < MAILS_PER_ADDRESS.points; nth++) {
      await askPasswordReset(ctx, { email: forms[nth % 2] as string });
    }
    await expect(askPasswordReset(ctx, { email })).rejects.toMatchObject({ code: "too_many_attempts" });
  }
});
