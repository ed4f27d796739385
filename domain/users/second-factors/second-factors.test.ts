import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { recoveryCodes, secondFactors, users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { codeOf, wrongCodeOf } from "../../../tests/support/second-factor.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  logIn,
  PASSWORD,
  unreachableRedis,
} from "../../../tests/support/users-service.ts";
import type { User } from "../accounts/user.ts";
import { changePassword } from "../passwords/change-password.ts";
import { answerChallenge } from "../sessions/answer-challenge.ts";
import type { IssuedSession } from "../sessions/issued-session.ts";
import { logIn as logInOrBeChallenged } from "../sessions/log-in.ts";
import { logOut } from "../sessions/log-out.ts";
import { refreshSession } from "../sessions/refresh-session.ts";
import { findSessions } from "../sessions/store.ts";
import { beginEnrolment } from "./begin-enrolment.ts";
import { confirmEnrolment } from "./confirm-enrolment.ts";
import { removeSecondFactor } from "./remove-second-factor.ts";
import { resetLostFactor } from "./reset-lost-factor.ts";
import { resetSecondFactor } from "./reset-second-factor.ts";
import { createSecondFactors } from "./second-factors.ts";

const AT_ONCE = 20;

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
let session: IssuedSession;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
  session = await logIn(ctx, { email: player.email, password: PASSWORD });
});

type Opened = Pick<IssuedSession, "user" | "sessionId">;
const begin = (input: { currentPassword?: string; code?: string } = {}, by: Opened = session) =>
  beginEnrolment(ctx, { userId: by.user.id, sessionId: by.sessionId, address: "", ...input });
const confirm = (code: string, by: Opened = session) =>
  confirmEnrolment(ctx, { actor: by.user, sessionId: by.sessionId, code });
/** @returns the secret, the recovery codes, and the code that is used */
async function enrol() {
  const { secret } = await begin();
  const used = codeOf(secret);
  return { secret, codes: await confirm(used), used };
}
async function challengeOf({ email }: { email: string } = player): Promise<string> {
  const outcome = await logInOrBeChallenged(ctx, { email, password: PASSWORD });
  if (!("challenge" in outcome)) throw new Error("the login needed no second factor");
  return outcome.challenge;
}
async function challengesOf(count: number): Promise<string[]> {
  const challenges: string[] = [];
  // One after the other: at once they would be as many guesses at the password.
  while (challenges.length < count) challenges.push(await challengeOf());
  return challenges;
}
const answer = (challenge: string, code: string, context = ctx) =>
  answerChallenge(context, { challenge, code, client: { userAgent: "", address: "" }, cookie: undefined });
/** As if the codes that were used are long past, so that a test need not wait for the next ones. */
const letTimePass = () => ctx.db.update(secondFactors).set({ lastStep: 0 }).where(eq(secondFactors.userId, player.id));
const outcomesOf = async (attempts: Promise<unknown>[]) => {
  const outcomes = await Promise.allSettled(attempts);
  return { succeeded: outcomes.filter(({ status }) => status === "fulfilled").length, outcomes };
};
const sessionIdsOf = async (userId = player.id) => (await findSessions(ctx, userId)).map(({ id }) => id);

const wrong = { code: "second_factor_wrong" };
const limited = { kind: "rate_limited", code: "too_many_attempts" };
const challengeGone = { kind: "unauthenticated", code: "challenge_invalid" };

test("who has confirmed a factor is challenged at login, and a code of it opens the session, which a refresh goes on with", async () => {
  const { secret } = await begin();
  // Until it is confirmed nothing has changed.
  await logIn(ctx, { email: player.email, password: PASSWORD });
  await confirm(codeOf(secret));
  const { session: opened, secondFactor } = await answer(await challengeOf(), codeOf(secret, 1));
  expect([opened.user, secondFactor]).toEqual([{ id: player.id, role: "player" }, "totp"]);
  expect((await refreshSession(ctx, { refreshToken: opened.refreshToken })).sessionId).toBe(opened.sessionId);
});

test("confirming ends all other sessions, and leaves this one", async () => {
  const other = await logIn(ctx, { email: player.email, password: PASSWORD });
  await enrol();
  expect(await sessionIdsOf()).toEqual([session.sessionId]);
  await expect(refreshSession(ctx, { refreshToken: other.refreshToken })).rejects.toMatchObject({
    code: "refresh_token_invalid",
  });
});

test("a code that was confirmed with, or logged in with, is used, and so is every older one", async () => {
  const { secret, used } = await enrol();
  await expect(answer(await challengeOf(), used)).rejects.toMatchObject({ ...wrong, kind: "unauthenticated" });
  const [next, older] = [codeOf(secret, 1), codeOf(secret, -1)];
  await answer(await challengeOf(), next);
  for (const code of [next, used, older]) {
    await expect(answer(await challengeOf(), code)).rejects.toMatchObject(wrong);
  }
});

test(`of ${AT_ONCE} logins at once by one code, each with a challenge of its own, one succeeds`, async () => {
  const { secret } = await enrol();
  const challenges = await challengesOf(AT_ONCE);
  const code = codeOf(secret, 1);
  const { succeeded } = await outcomesOf(challenges.map((challenge) => answer(challenge, code)));
  expect(succeeded).toBe(1);
});

test("the step counts once even where nothing limits the attempts", async () => {
  const { secret } = await enrol();
  const unlimited = { ...ctx, secondFactors: { ...ctx.secondFactors, beginAttempt: async () => async () => {} } };
  const challenges = await challengesOf(AT_ONCE);
  const code = codeOf(secret, 1);
  const { succeeded, outcomes } = await outcomesOf(challenges.map((challenge) => answer(challenge, code, unlimited)));
  expect(succeeded).toBe(1);
  const refusals = outcomes.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  for (const { reason } of refusals) expect(reason).toMatchObject(wrong);
});

test(`of ${AT_ONCE} uses at once of one recovery code one succeeds, and it is gone; another one works`, async () => {
  const { codes } = await enrol();
  const unlimited = { ...ctx, secondFactors: { ...ctx.secondFactors, beginAttempt: async () => async () => {} } };
  const challenges = await challengesOf(AT_ONCE);
  const [first = "", second = ""] = codes;
  const { succeeded } = await outcomesOf(challenges.map((challenge) => answer(challenge, first, unlimited)));
  expect(succeeded).toBe(1);
  const typed = second.toLowerCase().replaceAll("-", " ");
  expect((await answer(await challengeOf(), typed)).secondFactor).toBe("recovery_code");
  await expect(answer(await challengeOf(), second)).rejects.toMatchObject(wrong);
});

test(`a challenge that is answered ${AT_ONCE} times at once, each time with another code that is right, opens one session`, async () => {
  const { codes, secret } = await enrol();
  const unlimited = { ...ctx, secondFactors: { ...ctx.secondFactors, beginAttempt: async () => async () => {} } };
  const challenge = await challengeOf();
  const right = [...codes, codeOf(secret, 1)];
  const attempts = Array.from({ length: AT_ONCE }, (_, index) => right[index % right.length] as string);
  const before = await sessionIdsOf();
  const { succeeded } = await outcomesOf(attempts.map((code) => answer(challenge, code, unlimited)));
  expect(succeeded).toBe(1);
  expect((await sessionIdsOf()).filter((id) => !before.includes(id))).toHaveLength(1);
});

test("a challenge is bound to its account, and is no token", async () => {
  const { secret } = await enrol();
  const other = await createPlayer(ctx);
  const othersSession = await logIn(ctx, { email: other.email, password: PASSWORD });
  const { secret: othersSecret } = await begin({}, othersSession);
  await confirm(codeOf(othersSecret), othersSession);
  const challenge = await challengeOf();
  await expect(answer(challenge, codeOf(othersSecret, 1))).rejects.toMatchObject(wrong);
  await expect(refreshSession(ctx, { refreshToken: challenge })).rejects.toMatchObject({
    code: "refresh_token_invalid",
  });
  expect((await answer(challenge, codeOf(secret, 1))).session.user.id).toBe(player.id);
  await expect(answer(challenge, codeOf(secret, 1))).rejects.toMatchObject(challengeGone);
  await expect(answer("nonsense", codeOf(secret, 1))).rejects.toMatchObject(challengeGone);
});

test("Redis holds neither challenge nor secret, and forgets both within minutes", async () => {
  const { secret } = await begin();
  const enrolmentKey = `second-factor-enrolment:${session.sessionId}`;
  expect(await ctx.redis.get(enrolmentKey)).not.toContain(secret);
  expect(await ctx.redis.ttl(enrolmentKey)).toBeLessThanOrEqual(600);
  await confirm(codeOf(secret));
  const before = await ctx.redis.keys("second-factor-challenge:*");
  const challenge = await challengeOf();
  const [key = ""] = (await ctx.redis.keys("second-factor-challenge:*")).filter((key) => !before.includes(key));
  expect(key + (await ctx.redis.get(key))).not.toContain(challenge);
  const seconds = await ctx.redis.ttl(key);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(300);
});

test("the database holds neither the secret nor a recovery code", async () => {
  const { secret, codes } = await enrol();
  const [factor] = await ctx.db.select().from(secondFactors).where(eq(secondFactors.userId, player.id));
  const stored = await ctx.db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, player.id));
  expect(stored).toHaveLength(10);
  expect(new Set(codes).size).toBe(10);
  const text = JSON.stringify([factor, stored]);
  for (const shown of [secret, ...codes, ...codes.map((code) => code.replaceAll("-", ""))]) {
    expect(text).not.toContain(shown);
  }
});

test.each([
  ["suspended", "account_suspended"],
  ["self_excluded", "account_self_excluded"],
] as const)("who is %s between password and code gets nothing, and their code is not used up", async (status, code) => {
  const { secret } = await enrol();
  const challenge = await challengeOf();
  await ctx.db.update(users).set({ status }).where(eq(users.id, player.id));
  const before = await sessionIdsOf();
  await expect(answer(challenge, codeOf(secret, 1))).rejects.toMatchObject({ code });
  expect(await sessionIdsOf()).toEqual(before);
  await ctx.db.update(users).set({ status: "active" }).where(eq(users.id, player.id));
  await answer(challenge, codeOf(secret, 1));
});

/** A context that does something right before the session is stored, which is after the code was checked. */
function withInterruption(interruption: () => Promise<unknown>) {
  let isDone = false;
  const redis = new Proxy(ctx.redis, {
    get: (target, property) => {
      if (property !== "eval") return Reflect.get(target, property);
      return async (...call: Parameters<typeof target.eval>) => {
        if (!isDone) await interruption();
        isDone = true;
        return target.eval(...call);
      };
    },
  });
  return { ...ctx, redis };
}

test.each<[what: string, change: () => Promise<unknown>, refusal: object]>([
  [
    "suspended",
    () => ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, player.id)),
    { code: "account_suspended" },
  ],
  [
    "given another password",
    () => ctx.db.update(users).set({ passwordHash: "another" }).where(eq(users.id, player.id)),
    challengeGone,
  ],
  [
    "given another factor",
    () => ctx.db.update(secondFactors).set({ sealedSecret: "another" }).where(eq(secondFactors.userId, player.id)),
    challengeGone,
  ],
  ["without a factor", () => ctx.db.delete(secondFactors).where(eq(secondFactors.userId, player.id)), challengeGone],
])("an account that is %s while its session is opened has none", async (_what, change, refusal) => {
  const { secret } = await enrol();
  const before = await sessionIdsOf();
  await expect(answer(await challengeOf(), codeOf(secret, 1), { ...withInterruption(change) })).rejects.toMatchObject(
    refusal,
  );
  expect(await sessionIdsOf()).toEqual(before);
});

const changeOwnPassword = () =>
  changePassword(ctx, {
    userId: player.id,
    sessionId: session.sessionId,
    currentPassword: PASSWORD,
    newPassword: "another-password-of-mine",
    address: "",
  });

test.each<[what: string, change: () => Promise<unknown>]>([
  ["a factor is confirmed", enrol],
  ["the password is changed", changeOwnPassword],
])("a login that is under way while %s opens no session", async (_what, change) => {
  const login = logIn(withInterruption(change), { email: player.email, password: PASSWORD });
  await expect(login).rejects.toMatchObject({ code: "invalid_credentials" });
  expect(await sessionIdsOf()).toEqual([session.sessionId]);
});

test("a password that was changed takes its challenges with it", async () => {
  const { secret } = await enrol();
  const challenge = await challengeOf();
  await changeOwnPassword();
  await expect(answer(challenge, codeOf(secret, 1))).rejects.toMatchObject(challengeGone);
});

test("five wrong codes are looked at, of whatever kind, and then not even the right one; another account is not concerned", async () => {
  const { secret, codes, used } = await enrol();
  const challenge = await challengeOf();
  const guesses = [wrongCodeOf(secret), "AAAA-AAAA-AAAA-AAAA", wrongCodeOf(secret), "nonsense", used];
  for (const guess of guesses) await expect(answer(challenge, guess)).rejects.toMatchObject(wrong);
  await expect(answer(challenge, codeOf(secret, 1))).rejects.toMatchObject(limited);
  await expect(answer(challenge, codes[0] as string)).rejects.toMatchObject(limited);
  await expect(begin({ code: codeOf(secret, 1) })).rejects.toMatchObject(limited);
  player = await createPlayer(ctx);
  session = await logIn(ctx, { email: player.email, password: PASSWORD });
  await enrol();
});

test("codes that were right don't count as attempts", async () => {
  const { codes } = await enrol();
  for (const code of codes) await answer(await challengeOf(), code);
});

test("without Redis attempts are limited all the same, and no login gets as far", async () => {
  const { secret } = await enrol();
  const challenge = await challengeOf();
  const redis = unreachableRedis();
  try {
    const away = createSecondFactors(redis, ctx.log, { key: ctx.secondFactors.key, issuer: "x", ofStaff: "off" });
    const remove = (code: string) =>
      removeSecondFactor({ ...ctx, secondFactors: away }, { userId: player.id, sessionId: session.sessionId, code });
    for (let guess = 0; guess < 5; guess++) await expect(remove(wrongCodeOf(secret))).rejects.toMatchObject(wrong);
    await expect(remove(codeOf(secret, 1))).rejects.toMatchObject(limited);
    await expect(answer(challenge, codeOf(secret, 1), { ...ctx, redis })).rejects.toMatchObject({
      code: "sessions_unavailable",
    });
  } finally {
    redis.disconnect();
  }
});

test("a session that is not of today shows the password first, and a wrong one is counted as a failed login", async () => {
  await ctx.redis.hset(`session:${session.sessionId}`, "createdAt", Date.now() - 11 * 60_000);
  const refused = { kind: "permission_denied", code: "reauthentication_required" };
  await expect(begin()).rejects.toMatchObject(refused);
  await expect(begin({ currentPassword: "not-the-password" })).rejects.toMatchObject({
    code: "current_password_wrong",
  });
  await begin({ currentPassword: PASSWORD });
  await ctx.redis.hdel(`session:${session.sessionId}`, "createdAt");
  await expect(begin()).rejects.toMatchObject(refused);
});

test("another factor takes the place of one whose code is shown, and the old recovery codes are void", async () => {
  const old = await enrol();
  await expect(begin()).rejects.toMatchObject({ code: "reauthentication_required" });
  await expect(begin({ currentPassword: PASSWORD })).rejects.toMatchObject({ code: "reauthentication_required" });
  await expect(begin({ code: old.used })).rejects.toMatchObject({ ...wrong, kind: "permission_denied" });
  const [recovery = "", unused = ""] = old.codes;
  const { secret } = await begin({ code: recovery });
  // The old one is good until the new one is confirmed.
  await answer(await challengeOf(), codeOf(old.secret, 1));
  await confirm(codeOf(secret));
  await letTimePass();
  await expect(answer(await challengeOf(), codeOf(old.secret))).rejects.toMatchObject(wrong);
  await expect(answer(await challengeOf(), unused)).rejects.toMatchObject(wrong);
  await answer(await challengeOf(), codeOf(secret));
});

test(`of ${AT_ONCE} confirmations at once one succeeds, and its recovery codes are the ones that count`, async () => {
  const { secret } = await begin();
  const unlimited = { ...ctx, secondFactors: { ...ctx.secondFactors, beginAttempt: async () => async () => {} } };
  const code = codeOf(secret);
  const input = { actor: session.user, sessionId: session.sessionId, code };
  const { succeeded, outcomes } = await outcomesOf(
    Array.from({ length: AT_ONCE }, () => confirmEnrolment(unlimited, input)),
  );
  expect(succeeded).toBe(1);
  const won = outcomes.find(({ status }) => status === "fulfilled") as PromiseFulfilledResult<string[]>;
  await answer(await challengeOf(), won.value[0] as string);
});

test("what another session has begun can't be confirmed, nor what was begun before another factor was there", async () => {
  const other = await logIn(ctx, { email: player.email, password: PASSWORD });
  const { secret: others } = await begin({}, other);
  const notFound = { kind: "failed_precondition", code: "enrolment_not_found" };
  await expect(confirm(codeOf(others))).rejects.toMatchObject(notFound);
  const { secret } = await begin();
  await expect(confirm(codeOf(others))).rejects.toMatchObject(wrong);
  await confirm(codeOf(secret));
  await expect(confirm(codeOf(others), other)).rejects.toMatchObject(notFound);
  await answer(await challengeOf(), codeOf(secret, 1));
});

test("a factor is removed by its code or a recovery code, and the other sessions end", async () => {
  const { secret } = await enrol();
  const { session: opened } = await answer(await challengeOf(), codeOf(secret, 1));
  const remove = (code: string) => removeSecondFactor(ctx, { userId: player.id, sessionId: session.sessionId, code });
  await expect(remove(wrongCodeOf(secret))).rejects.toMatchObject({ ...wrong, kind: "permission_denied" });
  await letTimePass();
  await remove(codeOf(secret));
  await expect(remove(codeOf(secret, 1))).rejects.toMatchObject({ code: "second_factor_not_found" });
  expect(await sessionIdsOf()).not.toContain(opened.sessionId);
  await logIn(ctx, { email: player.email, password: PASSWORD });
  expect(await ctx.db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, player.id))).toEqual([]);
});

test("an admin resets another's factor, which ends their sessions; nobody else does, and nobody their own", async () => {
  const [admin, staff] = [await createStaff(ctx, "admin"), await createStaff(ctx)];
  const { secret } = await enrol();
  const reset = (actor: User, userId = player.id) => resetSecondFactor(ctx, { userId, reason: "a test", actor });
  await expect(reset(staff)).rejects.toMatchObject({ code: "role_not_allowed" });
  await expect(reset({ ...staff, role: "admin" })).rejects.toMatchObject({ code: "role_not_allowed" });
  await expect(reset(admin, admin.id)).rejects.toMatchObject({ code: "own_second_factor" });
  await expect(reset(admin, newId())).rejects.toMatchObject({ code: "user_not_found" });
  const challenge = await challengeOf();
  await reset(admin);
  expect(await sessionIdsOf()).toEqual([]);
  await expect(answer(challenge, codeOf(secret, 1))).rejects.toMatchObject(challengeGone);
  await logIn(ctx, { email: player.email, password: PASSWORD });
  await reset(admin);
  expect(await sessionIdsOf()).toEqual([]);
  await ctx.db.update(users).set({ status: "suspended" }).where(eq(users.id, admin.id));
  await expect(reset(admin)).rejects.toMatchObject({ code: "account_suspended" });
});

test("an operator resets the factor of whoever has the address, in whatever case", async () => {
  await enrol();
  const email = player.email.toUpperCase();
  expect(await resetLostFactor(ctx, { email })).toEqual({ userId: player.id, hadFactor: true });
  expect(await sessionIdsOf()).toEqual([]);
  await logIn(ctx, { email, password: PASSWORD });
  expect(await resetLostFactor(ctx, { email })).toEqual({ userId: player.id, hadFactor: false });
  await expect(resetLostFactor(ctx, { email: `nobody-${email}` })).rejects.toMatchObject({ code: "account_not_found" });
});

test("wrong codes that come with a token are bounded, and keep nobody from logging in", async () => {
  const { secret } = await enrol();
  const guess = () => begin({ code: wrongCodeOf(secret) });
  for (let guesses = 0; guesses < 5; guesses++) await expect(guess()).rejects.toMatchObject(wrong);
  await expect(guess()).rejects.toMatchObject(limited);
  await answer(await challengeOf(), codeOf(secret, 1));
});

test("a secret that was begun before the password was changed, or whose session has ended, can't be confirmed", async () => {
  const before = await begin();
  await changeOwnPassword();
  await expect(confirm(codeOf(before.secret))).rejects.toMatchObject({ code: "enrolment_not_found" });
  const after = await begin({ currentPassword: "another-password-of-mine" });
  await logOut(ctx, { cookie: session.refreshToken });
  await expect(confirm(codeOf(after.secret))).rejects.toMatchObject({ code: "enrolment_not_found" });
  await logIn(ctx, { email: player.email, password: "another-password-of-mine" });
});
