import { importJWK, SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createRecordingLog, type LogLine } from "../../../tests/support/log.ts";
import { codeOf, wrongCodeOf } from "../../../tests/support/second-factor.ts";
import {
  AUDIENCE,
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  freshEmail,
  PASSWORD,
} from "../../../tests/support/users-service.ts";

const { log, lines } = createRecordingLog();
let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let deps: Awaited<ReturnType<typeof createUsersDeps>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
beforeAll(async () => {
  ctx = await createUsersContext();
  deps = { ...(await createUsersDeps(ctx)), log };
  client = await createUsersClient(deps);
});
afterAll(() => ctx.stop());

/** Sends a request. @returns its answer's code and its line */
async function send(...request: Parameters<typeof client.send>): Promise<{ body: LogLine; line: LogLine }> {
  const [route, { headers, ...rest } = {}] = request;
  const requestId = newId();
  const { body } = await client.send(route, { ...rest, headers: { ...headers, "x-request-id": requestId } });
  const line = lines.find((candidate) => candidate.requestId === requestId);
  if (line === undefined) throw new Error(`${route} wrote no line`);
  return { body, line };
}
const logIn = (email: string, password = PASSWORD) =>
  send("POST /api/v1/auth/login", { json: { email, password, tokenDelivery: "body" } });
const refresh = (refreshToken: string) => send("POST /api/v1/auth/refresh", { json: { refreshToken } });

test("a failed login's line says whose account it was, if there is one", async () => {
  const { id, email } = await createPlayer(ctx);
  const { line } = await logIn(email, "not-the-password");
  expect(line).toMatchObject({ status: 401, code: "invalid_credentials", userId: id });
  const unknown = await logIn(freshEmail());
  expect(unknown.line).toMatchObject({ status: 401, code: "invalid_credentials" });
  expect(unknown.line).not.toHaveProperty("userId");
});

test("the line of a login or refresh that the account's status refuses says whose it is", async () => {
  const { id, email } = await createPlayer(ctx);
  const { body, line } = await logIn(email);
  // As it is when Redis was away while the status changed: the session is left.
  await ctx.db.execute(`update users set status = 'suspended' where id = '${id}'`);
  expect((await logIn(email)).line).toMatchObject({ code: "account_suspended", userId: id });
  const refused = await refresh(body.refreshToken);
  expect(refused.line).toMatchObject({ code: "account_suspended", userId: id, sessionId: line.sessionId });
});

test("the line of a refused registration says whose the address is", async () => {
  const { id, email } = await createPlayer(ctx);
  const player = await send("POST /api/v1/auth/register", { json: { email, password: PASSWORD } });
  expect(player.line).toMatchObject({ status: 409, code: "email_taken", userId: id });
  const admin = await createStaff(ctx, "admin");
  const token = await client.tokenOf(admin);
  const staff = await send("POST /api/v1/auth/register-staff", { token, json: { email, password: PASSWORD } });
  expect(staff.line).toMatchObject({ status: 409, code: "email_taken", userId: id, principalId: admin.id });
});

test("a refused refresh's line says which session it was, and whose", async () => {
  const { id, email } = await createPlayer(ctx);
  const { body, line } = await logIn(email);
  const { sessionId } = line;
  const second = await refresh(body.refreshToken);
  await refresh(second.body.refreshToken);
  const reused = await refresh(body.refreshToken);
  expect(reused.line).toMatchObject({ status: 401, code: "refresh_token_reused", userId: id, sessionId });
  const ended = await refresh(second.body.refreshToken);
  expect(ended.line).toMatchObject({ status: 401, code: "refresh_token_invalid", sessionId });
  const foreign = await refresh("nonsense");
  expect(foreign.line).toMatchObject({ status: 401, code: "refresh_token_invalid" });
  expect(foreign.line).not.toHaveProperty("sessionId");
});

test("a refused access token's line says whose it was, if that is certain", async () => {
  const { id } = await createPlayer(ctx);
  const sessionId = newId();
  const token = (kid: 0 | 1, expiresAt: number) =>
    importJWK(deps.keys[kid] as never, "EdDSA").then((key) =>
      new SignJWT({ role: "player", sid: sessionId })
        .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: deps.keys[0]?.kid as string })
        .setSubject(id)
        .setIssuer(AUDIENCE.issuer)
        .setAudience(AUDIENCE.audience)
        .setIssuedAt()
        .setExpirationTime(expiresAt)
        .sign(key),
    );
  const past = Math.floor(Date.now() / 1000) - 60;
  const expired = await send("GET /api/v1/users/me", { token: await token(0, past) });
  expect(expired.line).toMatchObject({ status: 401, code: "token_expired", principalId: id, sessionId });
  const forged = await send("GET /api/v1/users/me", { token: await token(1, past) });
  expect(forged.line).toMatchObject({ status: 401, code: "token_invalid" });
  expect(forged.line).not.toHaveProperty("principalId");
});

test("the line of what a role may not do says who tried, in which session, and with whom", async () => {
  const player = await createPlayer(ctx);
  const token = await client.tokenOf(player);
  const search = await send("GET /api/v1/users", { token });
  expect(search.line).toMatchObject({
    code: "role_not_allowed",
    principalId: player.id,
    sessionId: expect.any(String),
  });
  const staff = await createStaff(ctx);
  const own = await send(`PATCH /api/v1/users/${staff.id}/status`, {
    token: await client.tokenOf(staff),
    json: { status: "suspended", reason: "r" },
  });
  expect(own.line).toMatchObject({ code: "own_status", principalId: staff.id, userId: staff.id });
  const userId = newId();
  const nobody = await send(`GET /api/v1/users/${userId}`, { token: await client.tokenOf(staff) });
  expect(nobody.line).toMatchObject({ code: "user_not_found", principalId: staff.id, userId });
});

test("the lines of a second factor say whose it is, and that a session is restricted, but hold no code", async () => {
  const player = await createPlayer(ctx);
  const login = await logIn(player.email);
  const token = login.body.accessToken;
  const secret = String((await send("POST /api/v1/auth/totp", { token })).body.secret);
  const confirmed = await send("POST /api/v1/auth/totp/confirm", { token, json: { code: codeOf(secret) } });
  const { challenge } = (await logIn(player.email)).body;
  const answer = (code: unknown) => send("POST /api/v1/auth/second-factor", { json: { challenge, code } });
  const wrong = wrongCodeOf(secret);
  expect((await answer(wrong)).line).toMatchObject({ status: 401, code: "second_factor_wrong", userId: player.id });
  const [recoveryCode] = confirmed.body.recoveryCodes as string[];
  const opened = await answer(recoveryCode);
  expect(opened.line).toMatchObject({ status: 200, userId: player.id, secondFactor: "recovery_code" });
  const staff = await createStaff(ctx);
  const sessionId = newId();
  const restricted = await deps.signToken({ id: staff.id, role: "staff", sessionId, restriction: "second_factor" });
  const refused = await send("GET /api/v1/users", { token: restricted });
  expect(refused.line).toMatchObject({ code: "session_restricted", principalId: staff.id, sessionId });
  const text = JSON.stringify(lines);
  for (const shown of [secret, challenge, wrong, recoveryCode]) expect(text).not.toContain(`"${shown}"`);
});

test("no line holds an address or a password", () => {
  expect(lines.length).toBeGreaterThan(10);
  expect(JSON.stringify(lines)).not.toMatch(/@|example\.com|long-enough/);
});

test("refusals are counted by route and code, and by nothing that names anybody", async () => {
  const { email } = await createPlayer(ctx);
  deps.metrics.httpRefusalsTotal.reset();
  await logIn(email, "not-the-password");
  await logIn(email, "not-the-password");
  await logIn(email);
  await refresh("nonsense");
  const { values } = await deps.metrics.httpRefusalsTotal.get();
  expect(values.map(({ labels, value }) => ({ ...labels, value }))).toEqual([
    { route: "/api/v1/auth/login", code: "invalid_credentials", value: 2 },
    { route: "/api/v1/auth/refresh", code: "refresh_token_invalid", value: 1 },
  ]);
});
