import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Answer,
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  freshEmail,
  PASSWORD,
  PUBLIC_URL,
} from "../../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let deps: Awaited<ReturnType<typeof createUsersDeps>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
beforeAll(async () => {
  ctx = await createUsersContext();
  deps = await createUsersDeps(ctx);
  client = await createUsersClient(deps);
});
afterAll(() => ctx.stop());

const register = (email = freshEmail()) =>
  client.send("POST /api/v1/auth/register", { json: { email, password: PASSWORD } });
const logIn = (email: string, extra = {}) =>
  client.send("POST /api/v1/auth/login", { json: { email, password: PASSWORD, ...extra } });
/** The refresh cookie of an answer, as a browser would send it back. */
const cookieOf = (answer: Answer) =>
  /^__Secure-refreshToken=[^;]*/.exec(answer.headers.get("set-cookie") ?? "")?.[0] ?? "";
const withCookie = (cookie: string) => ({ headers: { cookie } });

test("registering answers the player as the contract says, the address trimmed and as given", async () => {
  const email = freshEmail("Mixed.Case");
  const { status, body } = await register(`  ${email} `);
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
    email,
    role: "player",
    status: "active",
    balanceMinor: 0,
    currency: "EUR",
    emailVerified: false,
    verified: false,
    createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(await register(email)).toMatchObject({ status: 409, body: { code: "email_taken" } });
});

test("a login gives browsers the refresh token in a cookie that scripts and other sites can't use", async () => {
  const { email } = await createPlayer(ctx);
  const answer = await logIn(email);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ accessToken: expect.any(String), tokenType: "Bearer", expiresIn: 600 });
  const cookie = answer.headers.get("set-cookie") ?? "";
  for (const attribute of ["HttpOnly", "Secure", "SameSite=Strict", "Path=/users/api/v1/auth"]) {
    expect(cookie.split("; ")).toContain(attribute);
  }
  const maxAgeSeconds = Number(/Max-Age=(\d+)/.exec(cookie)?.[1]);
  expect(maxAgeSeconds / 86_400).toBeCloseTo(30, 1);
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("a login with tokenDelivery body sets no cookie, and its refreshes go on in the body", async () => {
  const { email } = await createPlayer(ctx);
  const login = await logIn(email, { tokenDelivery: "body" });
  expect(login.headers.get("set-cookie")).toBeNull();
  const refreshed = await client.send("POST /api/v1/auth/refresh", { json: { refreshToken: login.body.refreshToken } });
  expect(refreshed.status).toBe(200);
  expect(refreshed.headers.get("set-cookie")).toBeNull();
  expect(refreshed.body).toMatchObject({ accessToken: expect.any(String), tokenType: "Bearer", expiresIn: 600 });
  expect(refreshed.body.refreshToken).not.toBe(login.body.refreshToken);
});

test("two tabs that refresh one cookie at once get the same successor, which works", async () => {
  const { email } = await createPlayer(ctx);
  const cookie = cookieOf(await logIn(email));
  const answers = await Promise.all([1, 2].map(() => client.send("POST /api/v1/auth/refresh", withCookie(cookie))));
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  const [first, second] = answers.map(cookieOf);
  expect(first).toBe(second);
  expect(first).not.toBe(cookie);
  const next = await client.send("POST /api/v1/auth/refresh", withCookie(first ?? ""));
  expect(next.status).toBe(200);
  expect(next.body.refreshToken).toBeUndefined();
  const me = await client.send("GET /api/v1/users/me", { token: next.body.accessToken });
  expect(me).toMatchObject({ status: 200, body: { email } });
});

test("a cookie that can't be used any more is taken from the browser", async () => {
  const { email } = await createPlayer(ctx);
  const cookie = cookieOf(await logIn(email));
  const second = cookieOf(await client.send("POST /api/v1/auth/refresh", withCookie(cookie)));
  await client.send("POST /api/v1/auth/refresh", withCookie(second));
  const reused = await client.send("POST /api/v1/auth/refresh", withCookie(cookie));
  expect(reused).toMatchObject({ status: 401, body: { code: "refresh_token_reused" } });
  expect(reused.headers.get("set-cookie")).toMatch(/^__Secure-refreshToken=;.*Max-Age=0/);
});

test("who got no answer to a refresh asks again for 30 seconds, known by address and browser, or by the key from anywhere", async () => {
  const { email } = await createPlayer(ctx);
  const login = await logIn(email, { tokenDelivery: "body" });
  const refresh = (refreshToken: string, headers: Record<string, string>) =>
    client.send("POST /api/v1/auth/refresh", { json: { refreshToken }, headers });
  const passes = (refreshToken: string, ms: number) =>
    ctx.redis.hincrby(`session:${refreshToken.split(".")[0]}`, "rotatedAt", -ms);
  const home = { "user-agent": "Phone/1.0", "x-forwarded-for": "203.0.113.7" };
  const away = { ...home, "x-forwarded-for": "198.51.100.9" };
  let token = login.body.refreshToken;
  for (const [first, again] of [
    [home, home],
    [
      { ...home, "idempotency-key": "k-1" },
      { ...away, "idempotency-key": "k-1" },
    ],
  ] as const) {
    const lost = await refresh(token, first);
    await passes(token, 25_000);
    const answer = await refresh(token, again);
    expect(answer).toMatchObject({ status: 200, body: { refreshToken: lost.body.refreshToken } });
    token = answer.body.refreshToken;
  }
  expect((await refresh(token, { "idempotency-key": "not visible" })).body.code).toBe("validation_failed");
  await refresh(token, home);
  await passes(token, 25_000);
  expect(await refresh(token, away)).toMatchObject({ status: 401, body: { code: "refresh_token_reused" } });
});

test("a refresh without a token says what is missing", async () => {
  expect(await client.send("POST /api/v1/auth/refresh")).toMatchObject({
    status: 401,
    body: { code: "refresh_token_missing" },
  });
});

test("logging out ends the session and takes the cookie, however often it is sent", async () => {
  const { email } = await createPlayer(ctx);
  const cookie = cookieOf(await logIn(email));
  for (let time = 0; time < 2; time++) {
    const answer = await client.send("POST /api/v1/auth/logout", withCookie(cookie));
    expect(answer.status).toBe(204);
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Secure-refreshToken=;.*Max-Age=0.*Path=\/users\/api\/v1\/auth/,
    );
  }
  expect((await client.send("POST /api/v1/auth/logout")).status).toBe(204);
  const refreshed = await client.send("POST /api/v1/auth/refresh", withCookie(cookie));
  expect(refreshed).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
});

test("logging out with the token in the body works for clients that are no browsers", async () => {
  const { email } = await createPlayer(ctx);
  const json = { refreshToken: (await logIn(email, { tokenDelivery: "body" })).body.refreshToken };
  expect((await client.send("POST /api/v1/auth/logout", { json })).status).toBe(204);
  expect((await client.send("POST /api/v1/auth/refresh", { json })).body.code).toBe("refresh_token_invalid");
});

test("logging out with a token in the body and another in the cookie ends both sessions", async () => {
  const { email } = await createPlayer(ctx);
  const { refreshToken } = (await logIn(email, { tokenDelivery: "body" })).body;
  const cookie = cookieOf(await logIn(email));
  const answer = await client.send("POST /api/v1/auth/logout", { json: { refreshToken }, ...withCookie(cookie) });
  expect(answer.status).toBe(204);
  for (const request of [{ json: { refreshToken } }, withCookie(cookie)]) {
    const refreshed = await client.send("POST /api/v1/auth/refresh", request);
    expect(refreshed).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
  }
});

test.each(["logout", "refresh"])(
  "a body token that isn't ours is refused by %s, and leaves the cookie",
  async (route) => {
    const { email } = await createPlayer(ctx);
    const cookie = cookieOf(await logIn(email));
    for (const request of [{}, withCookie(cookie)]) {
      for (const refreshToken of ["string", `${cookie.slice("__Secure-refreshToken=".length, -4)}AAAA`]) {
        const refused = await client.send(`POST /api/v1/auth/${route}`, { json: { refreshToken }, ...request });
        expect(refused).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
        expect(refused.headers.get("set-cookie")).toBeNull();
      }
    }
    expect((await client.send("POST /api/v1/auth/refresh", withCookie(cookie))).status).toBe(200);
  },
);

test("a body without a token means the cookie", async () => {
  const { email } = await createPlayer(ctx);
  const refreshed = await client.send("POST /api/v1/auth/refresh", {
    json: {},
    ...withCookie(cookieOf(await logIn(email))),
  });
  expect(refreshed.status).toBe(200);
  const cookie = cookieOf(refreshed);
  expect((await client.send("POST /api/v1/auth/logout", { json: {}, ...withCookie(cookie) })).status).toBe(204);
  expect((await client.send("POST /api/v1/auth/refresh", withCookie(cookie))).body.code).toBe("refresh_token_invalid");
});

test("logging out everywhere needs an access token and ends all sessions", async () => {
  expect((await client.send("POST /api/v1/auth/logout-all")).body.code).toBe("token_missing");
  const { email } = await createPlayer(ctx);
  const logins = [await logIn(email), await logIn(email)];
  const token = logins[0]?.body.accessToken;
  expect((await client.send("POST /api/v1/auth/logout-all", { token })).status).toBe(204);
  for (const login of logins) {
    const refreshed = await client.send("POST /api/v1/auth/refresh", withCookie(cookieOf(login)));
    expect(refreshed.body.code).toBe("refresh_token_invalid");
  }
});

test("only an admin registers staff and admins", async () => {
  const admin = await createStaff(ctx, "admin");
  const send = async (actor: typeof admin, json: object) =>
    client.send("POST /api/v1/auth/register-staff", { token: await client.tokenOf(actor), json });
  const staff = await send(admin, { email: freshEmail("staff"), password: PASSWORD });
  expect(staff).toMatchObject({ status: 201, body: { role: "staff", status: "active", balanceMinor: 0 } });
  const second = await send(admin, { email: freshEmail("admin"), password: PASSWORD, role: "admin" });
  expect(second).toMatchObject({ status: 201, body: { role: "admin" } });
  for (const actor of [staff.body, await createPlayer(ctx)]) {
    const refused = await send(actor, { email: freshEmail(), password: PASSWORD });
    expect(refused).toMatchObject({ status: 403, body: { code: "role_not_allowed" } });
  }
  const taken = await send(admin, { email: staff.body.email.toUpperCase(), password: PASSWORD });
  expect(taken).toMatchObject({ status: 409, body: { code: "email_taken" } });
});

test("a login ends the session of the cookie that comes with it, and leaves it alone where it takes no cookie's place", async () => {
  const { email } = await createPlayer(ctx);
  const [first, second] = [cookieOf(await logIn(email)), cookieOf(await logIn(email))];
  const relogin = (cookie: string, extra = {}) =>
    client.send("POST /api/v1/auth/login", { json: { email, password: PASSWORD, ...extra }, headers: { cookie } });
  const refresh = (cookie: string) => client.send("POST /api/v1/auth/refresh", withCookie(cookie));
  const third = cookieOf(await relogin(first));
  expect(await refresh(first)).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
  await relogin(second, { tokenDelivery: "body" });
  expect((await refresh(second)).status).toBe(200);
  expect((await relogin("refreshToken=nonsense")).status).toBe(200);
  expect((await refresh(third)).status).toBe(200);
});

test("staff get shorter tokens", async () => {
  const { email } = await createStaff(ctx);
  const { body } = await logIn(email);
  expect(body.expiresIn).toBe(300);
  const { iat, exp } = JSON.parse(Buffer.from(body.accessToken.split(".")[1], "base64url").toString());
  expect(exp - iat).toBe(300);
});

test("a user lists their sessions, with the one that asks marked, and ends one", async () => {
  const { email } = await createPlayer(ctx);
  await logIn(email);
  const answer = await client.send("POST /api/v1/auth/login", {
    json: { email, password: PASSWORD },
    headers: { "user-agent": "Test/1.0", "x-forwarded-for": "203.0.113.7" },
  });
  const token = answer.body.accessToken;
  const list = () => client.send("GET /api/v1/auth/sessions", { token });
  const [current, other] = (await list()).body.data;
  expect(current).toMatchObject({ userAgent: "Test/1.0", address: "203.0.113.7", current: true });
  expect(other).toMatchObject({ userAgent: "", address: "", current: false });
  const end = () => client.send(`DELETE /api/v1/auth/sessions/${other.id}`, { token });
  expect((await end()).status).toBe(204);
  expect(await end()).toMatchObject({ status: 404, body: { code: "session_not_found" } });
  expect((await list()).body.data).toEqual([{ ...current, lastUsedAt: expect.any(String) }]);
});

test.each([
  ["cross-site", 403],
  ["same-site", 403],
  ["same-origin", 200],
  ["none", 200],
])("a refresh by cookie that the browser calls %s answers %i", async (site, status) => {
  const { email } = await createPlayer(ctx);
  const cookie = cookieOf(await logIn(email));
  const answer = await client.send("POST /api/v1/auth/refresh", { headers: { cookie, "sec-fetch-site": site } });
  expect(answer.status).toBe(status);
  if (status === 403) expect(answer.body.code).toBe("cross_site_request");
});

test("what another site sends without Fetch Metadata is known by its origin; a token in the body is nobody's cookie", async () => {
  const { email } = await createPlayer(ctx);
  const cookie = cookieOf(await logIn(email));
  const from = (origin: string, route: string) =>
    client.send(`POST /api/v1/auth/${route}`, { headers: { cookie, origin } });
  for (const route of ["refresh", "logout"]) {
    expect(await from("https://evil.example", route)).toMatchObject({
      status: 403,
      body: { code: "cross_site_request" },
    });
  }
  expect((await from(PUBLIC_URL, "refresh")).status).toBe(200);
  const { refreshToken } = (await logIn(email, { tokenDelivery: "body" })).body;
  const inBody = await client.send("POST /api/v1/auth/refresh", {
    json: { refreshToken },
    headers: { origin: "https://app.example", "sec-fetch-site": "cross-site" },
  });
  expect(inBody.status).toBe(200);
});

test("a cookie of the old name is good until its session ends, and is replaced by one of the new name", async () => {
  const { email } = await createPlayer(ctx);
  const old = cookieOf(await logIn(email)).replace("__Secure-", "");
  const answer = await client.send("POST /api/v1/auth/refresh", withCookie(old));
  expect(answer.status).toBe(200);
  const cookies = answer.headers.getSetCookie();
  expect(cookies[0]).toMatch(/^__Secure-refreshToken=[^;]{100}/);
  expect(cookies[1]).toMatch(/^refreshToken=;.*Max-Age=0/);
});

test("a logout leaves nothing in the browser", async () => {
  const { email } = await createPlayer(ctx);
  const answer = await client.send("POST /api/v1/auth/logout", withCookie(cookieOf(await logIn(email))));
  expect(answer.headers.get("clear-site-data")).toBe('"cookies", "storage"');
  expect(answer.headers.get("set-cookie")).toMatch(/^__Secure-refreshToken=;.*Max-Age=0/);
});
