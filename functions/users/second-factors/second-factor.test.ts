import { afterAll, beforeAll, expect, test } from "vitest";
import type { User } from "../../../domain/users/accounts/user.ts";
import { codeOf, wrongCodeOf } from "../../../tests/support/second-factor.ts";
import {
  type Answer,
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  PASSWORD,
} from "../../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let deps: Awaited<ReturnType<typeof createUsersDeps>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
/** The same deployment before its staff needed a second factor. */
let before: Awaited<ReturnType<typeof createUsersClient>>;
beforeAll(async () => {
  ctx = await createUsersContext({ staffSecondFactor: "on" });
  deps = await createUsersDeps(ctx);
  client = await createUsersClient(deps);
  const secondFactors = { ...ctx.secondFactors, isRequiredOf: () => false };
  before = await createUsersClient({ ...deps, ctx: { ...ctx, secondFactors } });
});
afterAll(() => ctx.stop());

const logIn = ({ email }: User, extra: object = { tokenDelivery: "body" }, through = client) =>
  through.send("POST /api/v1/auth/login", { json: { email, password: PASSWORD, ...extra } });
const refresh = (refreshToken: string) => client.send("POST /api/v1/auth/refresh", { json: { refreshToken } });
const me = (token: string) => client.send("GET /api/v1/users/me", { token });
const begin = (token: string, json: object = {}) => client.send("POST /api/v1/auth/totp", { token, json });
const confirm = (token: string, code: string) =>
  client.send("POST /api/v1/auth/totp/confirm", { token, json: { code } });
const answer = (challenge: string, code: string) =>
  client.send("POST /api/v1/auth/second-factor", { json: { challenge, code } });
/** The refresh token of an answer's cookie. */
const cookieOf = ({ headers }: Answer) => /^__Secure-refreshToken=([^;]*)/.exec(headers.get("set-cookie") ?? "")?.[1];

async function enrol(user: User) {
  const { body } = await logIn(user);
  const { secret } = (await begin(body.accessToken)).body;
  const confirmed = await confirm(body.accessToken, codeOf(secret));
  if (confirmed.status !== 200) throw new Error(`confirm answered ${confirmed.status} ${confirmed.body?.code}`);
  return { secret, codes: confirmed.body.recoveryCodes as string[], tokens: body };
}

const restricted = { status: 403, body: { code: "session_restricted" } };

test("staff set up a second factor at their first login, then log in with it, and may do all that is theirs", async () => {
  const admin = await createStaff(ctx, "admin");
  const first = await logIn(admin);
  expect(first.body).toEqual({
    accessToken: expect.any(String),
    tokenType: "Bearer",
    expiresIn: 300,
    restriction: "second_factor",
    refreshToken: expect.any(String),
  });
  const begun = await begin(first.body.accessToken);
  expect(begun).toMatchObject({ status: 200, body: { secret: expect.stringMatching(/^[A-Z2-7]{32}$/) } });
  expect(begun.body.otpauthUri).toContain(`secret=${begun.body.secret}`);
  const { secret } = begun.body;
  expect(await confirm(first.body.accessToken, wrongCodeOf(secret))).toMatchObject({
    status: 403,
    body: { code: "second_factor_wrong" },
  });
  const confirmed = await confirm(first.body.accessToken, codeOf(secret));
  expect(confirmed.status).toBe(200);
  expect(confirmed.body.recoveryCodes).toHaveLength(10);
  const second = await logIn(admin);
  expect(second).toMatchObject({ status: 200, body: { secondFactor: "totp", challenge: expect.any(String) } });
  expect(Object.keys(second.body)).toHaveLength(2);
  expect(second.headers.get("set-cookie")).toBeNull();
  const opened = await answer(second.body.challenge, codeOf(secret, 1));
  expect(opened.body).toEqual({
    accessToken: expect.any(String),
    tokenType: "Bearer",
    expiresIn: 300,
    refreshToken: expect.any(String),
  });
  for (const { accessToken } of [opened.body, (await refresh(opened.body.refreshToken)).body]) {
    expect((await client.send("GET /api/v1/users", { token: accessToken })).status).toBe(200);
  }
});

test("nothing lifts what a session was opened without: no refresh, no enrolment, no delivery of tokens in the body, no recovery", async () => {
  const staff = await createStaff(ctx);
  const inBody = (await logIn(staff)).body;
  const inCookie = await logIn(staff, {});
  const cookie = cookieOf(inCookie) ?? "";
  expect(await me(inCookie.body.accessToken)).toMatchObject(restricted);
  const refreshed = await client.send("POST /api/v1/auth/refresh", {
    headers: { cookie: `__Secure-refreshToken=${cookie}` },
  });
  expect(await me(refreshed.body.accessToken)).toMatchObject(restricted);
  // The cookie's token, sent in a body, comes back in the body.
  const moved = await refresh(cookieOf(refreshed) ?? "");
  expect(moved.body).toMatchObject({ restriction: "second_factor", refreshToken: expect.any(String) });
  expect(await me(moved.body.accessToken)).toMatchObject(restricted);
  const password = await client.send("POST /api/v1/auth/password", {
    token: inBody.accessToken,
    json: { currentPassword: PASSWORD, newPassword: "another-password-of-mine" },
  });
  expect(password).toMatchObject(restricted);
  const { secret } = (await begin(inBody.accessToken)).body;
  await confirm(inBody.accessToken, codeOf(secret));
  const after = await refresh(inBody.refreshToken);
  expect(after.body.restriction).toBe("second_factor");
  for (const token of [inBody.accessToken, after.body.accessToken]) expect(await me(token)).toMatchObject(restricted);
});

test("sessions from before it was required, or before sessions said how they were opened, are without the factor", async () => {
  const staff = await createStaff(ctx);
  const { accessToken, refreshToken } = (await logIn(staff, undefined, before)).body;
  expect((await before.send("GET /api/v1/users/me", { token: accessToken })).status).toBe(200);
  const refreshed = await refresh(refreshToken);
  expect(refreshed.body.restriction).toBe("second_factor");
  expect(await me(refreshed.body.accessToken)).toMatchObject(restricted);
  const [sessionId = ""] = refreshToken.split(".");
  expect(await ctx.redis.hdel(`session:${sessionId}`, "secondFactor")).toBe(1);
  expect(await me((await refresh(refreshed.body.refreshToken)).body.accessToken)).toMatchObject(restricted);
});

test("one that was opened with the factor before it was required stays whole", async () => {
  const staff = await createStaff(ctx);
  const { secret } = await enrol(staff);
  const { challenge } = (await logIn(staff)).body;
  const opened = await before.send("POST /api/v1/auth/second-factor", {
    json: { challenge, code: codeOf(secret, 1) },
  });
  const { accessToken } = (await refresh(opened.body.refreshToken)).body;
  expect((await me(accessToken)).status).toBe(200);
});

test("a player who became staff is restricted at the next refresh", async () => {
  const player = await createPlayer(ctx);
  const { refreshToken, accessToken } = (await logIn(player)).body;
  expect((await me(accessToken)).status).toBe(200);
  await ctx.db.execute(`update users set role = 'staff' where id = '${player.id}'`);
  expect(await me((await refresh(refreshToken)).body.accessToken)).toMatchObject(restricted);
});

test("a restricted session can log out, and out of all", async () => {
  const staff = await createStaff(ctx);
  const { refreshToken } = (await logIn(staff)).body;
  expect((await client.send("POST /api/v1/auth/logout", { json: { refreshToken } })).status).toBe(204);
  expect((await refresh(refreshToken)).status).toBe(401);
  const { accessToken } = (await logIn(staff)).body;
  expect((await client.send("POST /api/v1/auth/logout-all", { token: accessToken })).status).toBe(204);
});

test("staff can't remove the factor that they need, but replace it; a player removes theirs", async () => {
  const staff = await createStaff(ctx);
  const { secret, codes } = await enrol(staff);
  const opened = await answer((await logIn(staff)).body.challenge, codeOf(secret, 1));
  const token = opened.body.accessToken;
  const remove = (token: string, code: string) => client.send("DELETE /api/v1/auth/totp", { token, json: { code } });
  expect(await remove(token, codes[0] as string)).toMatchObject({
    status: 403,
    body: { code: "second_factor_required" },
  });
  expect(await begin(token)).toMatchObject({ status: 403, body: { code: "reauthentication_required" } });
  const another = (await begin(token, { code: codes[0] })).body.secret;
  expect((await confirm(token, codeOf(another))).status).toBe(200);
  const player = await createPlayer(ctx);
  const own = await enrol(player);
  expect((await remove(own.tokens.accessToken, own.codes[0] as string)).status).toBe(204);
  expect(await remove(own.tokens.accessToken, own.codes[1] as string)).toMatchObject({
    status: 404,
    body: { code: "second_factor_not_found" },
  });
});

test("the refresh token goes the way that the login asked for, and the session of the browser's cookie ends", async () => {
  const player = await createPlayer(ctx);
  const earlier = cookieOf(await logIn(player, {})) ?? "";
  const { secret } = await enrol(player);
  // Enrolling has ended it; another one, which the browser still has.
  const stale = (await logIn(player, {})).body.challenge;
  const opened = await client.send("POST /api/v1/auth/second-factor", {
    json: { challenge: stale, code: codeOf(secret, 1) },
    headers: { cookie: `__Secure-refreshToken=${earlier}` },
  });
  expect(opened.body).toEqual({ accessToken: expect.any(String), tokenType: "Bearer", expiresIn: 600 });
  const cookie = cookieOf(opened) ?? "";
  expect((await refresh(cookie)).status).toBe(200);
});

test("a challenge is refused wherever a token is asked for", async () => {
  const player = await createPlayer(ctx);
  await enrol(player);
  const { challenge } = (await logIn(player)).body;
  expect(await me(challenge)).toMatchObject({ status: 401, body: { code: "token_invalid" } });
  expect(await refresh(challenge)).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
});

test("an admin resets another's factor with a reason; who lost it sets up another", async () => {
  const [admin, staff] = [await createStaff(ctx, "admin"), await createStaff(ctx)];
  const token = await client.tokenOf(admin);
  await enrol(staff);
  const reset = (json: object | undefined, id = staff.id) =>
    client.send(`DELETE /api/v1/users/${id}/totp`, { token, ...(json === undefined ? {} : { json }) });
  for (const json of [undefined, {}, { reason: " " }]) {
    expect(await reset(json)).toMatchObject({ status: 400, body: { code: "validation_failed" } });
  }
  expect((await logIn(staff)).body.secondFactor).toBe("totp");
  expect((await reset({ reason: "Lost phone, ticket 4711" })).status).toBe(204);
  const { restriction, accessToken } = (await logIn(staff)).body;
  expect(restriction).toBe("second_factor");
  expect((await begin(accessToken)).status).toBe(200);
});
