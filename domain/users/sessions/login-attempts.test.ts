import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createPlayer,
  createUsersContext,
  freshEmail,
  logIn,
  PASSWORD,
  silentLog,
  unreachableRedis,
} from "../../../tests/support/users-service.ts";
import { createLoginAttempts, FAILURES_PER_ACCOUNT } from "./login-attempts.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

const { points, windowSeconds } = FAILURES_PER_ACCOUNT;
const [HOME, ELSEWHERE] = ["203.0.113.7", "198.51.100.9"];

/** @returns "in", or the code of the refusal */
const attempt = (email: string, password: string, address: string) =>
  logIn(ctx, { email, password, client: { userAgent: "", address } }).then(
    () => "in",
    ({ code }: { code: string }) => code,
  );
const guess = (email: string, times: number, address = ELSEWHERE) =>
  Promise.all(Array.from({ length: times }, (_, n) => attempt(email, `guess number ${n}`, address)));
const count = (outcomes: string[], outcome: string) => outcomes.filter((one) => one === outcome).length;

test("of 200 guesses at once no more are looked at than may be, from however many addresses", async () => {
  const { email } = await createPlayer(ctx);
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, n) => attempt(email.toUpperCase(), `guess number ${n}`, `198.51.100.${n}`)),
  );
  expect([count(outcomes, "invalid_credentials"), count(outcomes, "too_many_attempts")]).toEqual([
    points,
    200 - points,
  ]);
  const refusal = logIn(ctx, { email, password: PASSWORD }).catch((error: unknown) => error);
  expect(await refusal).toMatchObject({ kind: "rate_limited", code: "too_many_attempts" });
  const { retryAfterSeconds } = (await refusal) as { retryAfterSeconds: number };
  expect(retryAfterSeconds).toBeGreaterThan(windowSeconds - 60);
  expect(retryAfterSeconds).toBeLessThanOrEqual(windowSeconds);
});

test("strangers who guess don't lock the owner out where they have logged in before", async () => {
  const { email } = await createPlayer(ctx);
  expect(await attempt(email, PASSWORD, HOME)).toBe("in");
  await guess(email, points + 1);
  expect(await attempt(email, PASSWORD, ELSEWHERE)).toBe("too_many_attempts");
  expect(await attempt(email, PASSWORD, HOME)).toBe("in");
  expect(count(await guess(email, points + 5, HOME), "too_many_attempts")).toBe(5);
});

test("an address that nobody has is limited as one that somebody has", async () => {
  const outcomes = await guess(freshEmail(), points + 3);
  expect([count(outcomes, "invalid_credentials"), count(outcomes, "too_many_attempts")]).toEqual([points, 3]);
});

test("who knows the password is not counted, however often they log in", async () => {
  const { email } = await createPlayer(ctx);
  const outcomes = [];
  for (let time = 0; time < points + 2; time++) outcomes.push(await attempt(email, PASSWORD, ""));
  expect(count(outcomes, "in")).toBe(points + 2);
});

test("without Redis guesses are bounded too", async () => {
  const redis = unreachableRedis();
  try {
    const attempts = createLoginAttempts(redis, silentLog);
    const email = freshEmail();
    const outcomes = await Promise.all(
      Array.from({ length: points + 4 }, () =>
        attempts.begin({ email, address: HOME }).then(
          () => "looked at",
          ({ code }: { code: string }) => code,
        ),
      ),
    );
    expect([count(outcomes, "looked at"), count(outcomes, "too_many_attempts")]).toEqual([points, 4]);
  } finally {
    redis.disconnect();
  }
});
