import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { userStatusChanges, users } from "../../drizzle/users/schema.ts";
import { cursorsOf } from "../../lib/cursor.ts";
import { newId } from "../../lib/ids.ts";
import { outbox } from "../../lib/outbox/schema.ts";
import {
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  freshEmail,
  PASSWORD,
} from "../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
let token: string;
let adminId: string;
let playerId: string;
let before: number[];
const countRows = () => Promise.all([users, userStatusChanges, outbox].map((table) => ctx.db.$count(table)));

beforeAll(async () => {
  ctx = await createUsersContext();
  client = await createUsersClient(await createUsersDeps(ctx));
  const admin = await createStaff(ctx, "admin");
  adminId = admin.id;
  token = await client.tokenOf(admin);
  playerId = (await createPlayer(ctx)).id;
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  before = await countRows();
});

/** Sends what must be refused, and checks that it changed nothing. */
async function refused(route: string, request: Parameters<typeof client.send>[1], status: number, code: string) {
  const answer = await client.send(route.replace("{player}", playerId), { token, ...request });
  expect(answer.body).toMatchObject({ status, code, requestId: expect.any(String), title: expect.any(String) });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await countRows()).toEqual(before);
  return answer;
}

const register = "POST /api/v1/auth/register";
const email = freshEmail();

test.each<[string, unknown]>([
  ["null", null],
  ["a list", []],
  ["a string", "x"],
  ["no fields", {}],
  ["no password", { email }],
  ["no e-mail", { password: PASSWORD }],
  ["an unknown field", { email, password: PASSWORD, role: "admin" }],
  ["a prototype", JSON.parse(`{"__proto__":{"role":"admin"},"email":"${email}","password":"${PASSWORD}"}`)],
  ["an e-mail without @", { email: "nobody", password: PASSWORD }],
  ["an e-mail that is too long", { email: `${"a".repeat(250)}@b.cd`, password: PASSWORD }],
  ["an e-mail with a line break", { email: "a@b.cd\r\nBcc: x@y.zz", password: PASSWORD }],
  ["an e-mail with NUL", { email: "a\0@b.cd", password: PASSWORD }],
  ["an e-mail of the wrong type", { email: 1, password: PASSWORD }],
  ["a list of e-mails", { email: [email], password: PASSWORD }],
  ["a password of the wrong type", { email, password: 123456789012 }],
  ["a password that is too short", { email, password: "a".repeat(11) }],
  ["a password that is too long", { email, password: "a".repeat(129) }],
  ["a password of one character again and again", { email, password: "a".repeat(20) }],
  ["a password of a few characters again and again", { email, password: "aB1aB1aB1aB1a" }],
  ["a password that counts", { email, password: "1234567890123" }],
  ["a password that counts down", { email, password: "zyxwvutsrqpon" }],
  ["a common password", { email, password: "Leavemealone" }],
  ["the own address as a password", { email, password: email.toUpperCase() }],
  ["the own name and a year as a password", { email, password: `${email.split("@")[0]}2026` }],
  ["a password with NUL", { email, password: `${PASSWORD}\0` }],
])("registering with %s is refused", async (_, json) => {
  const { body } = await refused(register, { json }, 400, "validation_failed");
  expect(body.errors.length).toBeGreaterThan(0);
});

test.each<[string, Parameters<typeof client.send>[1], number, string]>([
  ["no body", {}, 400, "validation_failed"],
  ["an empty body", { raw: "" }, 400, "malformed_json"],
  ["half a document", { raw: '{"email":' }, 400, "malformed_json"],
  [
    "a form",
    { raw: "email=x", headers: { "content-type": "application/x-www-form-urlencoded" } },
    415,
    "unsupported_media_type",
  ],
  ["text", { raw: "{}", headers: { "content-type": "text/plain" } }, 415, "unsupported_media_type"],
  ["more than 64 KiB", { json: { email, password: PASSWORD, more: "x".repeat(70_000) } }, 413, "payload_too_large"],
])("registering with %s is refused", async (_, request, status, code) => {
  await refused(register, request, status, code);
});

const statusRoute = "PATCH /api/v1/users/{player}/status";

test.each<[string, unknown]>([
  ["no reason", { status: "suspended" }],
  ["an empty reason", { status: "suspended", reason: "  " }],
  ["a reason that is too long", { status: "suspended", reason: "a".repeat(501) }],
  ["a reason with NUL", { status: "suspended", reason: "a\0b" }],
  ["an unknown status", { status: "banned", reason: "r" }],
  ["no status", { reason: "r" }],
  ["an unknown field", { status: "suspended", reason: "r", balanceMinor: 1 }],
])("changing a status with %s is refused", async (_, json) => {
  await refused(statusRoute, { json }, 400, "validation_failed");
});

test.each([
  "GET /api/v1/users/not-an-id",
  "GET /api/v1/users/not-an-id/transactions",
  "GET /api/v1/users/1%00",
  "GET /api/v1/users?limit=0",
  "GET /api/v1/users?limit=101",
  "GET /api/v1/users?limit=1.5",
  "GET /api/v1/users?limit=x",
  "GET /api/v1/users?limit=",
  "GET /api/v1/users?limit=1&limit=2",
  "GET /api/v1/users?role=root",
  "GET /api/v1/users?status=banned",
  "GET /api/v1/users?q=",
  "GET /api/v1/users?q=a%00b",
  "GET /api/v1/users?unknown=1",
  "GET /api/v1/users/me?unknown=1",
  "GET /api/v1/users/{player}?unknown=1",
  "GET /api/v1/users/{player}/transactions?limit=-1",
  "GET /api/v1/transactions?unknown=1",
  "GET /api/v1/transactions?cursor=",
])("%s is refused", async (route) => {
  await refused(route, {}, 400, "validation_failed");
});

test.each([
  "x",
  "%25%25",
  "bnVsbA",
  Buffer.from("[1]").toString("base64url"),
  Buffer.from('{"a":1}').toString("base64url"),
])("the cursor %s is refused by every list", async (cursor) => {
  for (const path of ["users", "transactions", "users/{player}/transactions"]) {
    await refused(`GET /api/v1/${path}?cursor=${cursor}`, {}, 400, "invalid_cursor");
  }
});

test("a list takes no cursor of another, not even of another user's list of the same kind", async () => {
  const lists = {
    users: "users",
    transactions: `transactions/${adminId}`,
    "users/{player}/transactions": `transactions/${playerId}`,
  };
  for (const [path, list] of Object.entries(lists)) {
    for (const other of [...Object.values(lists), "promotions"]) {
      const route = `GET /api/v1/${path}?cursor=${cursorsOf(other).encode(newId())}`;
      if (other !== list) await refused(route, {}, 400, "invalid_cursor");
      else expect((await client.send(route.replace("{player}", playerId), { token })).status).toBe(200);
    }
  }
});

test.each<[string, unknown]>([
  ["an unknown delivery", { email, password: PASSWORD, tokenDelivery: "header" }],
  ["an unknown field", { email, password: PASSWORD, remember: true }],
  ["an empty password", { email, password: "" }],
])("a login with %s is refused", async (_, json) => {
  await refused("POST /api/v1/auth/login", { json }, 400, "validation_failed");
});

test.each<[unknown, number, string]>([
  [{ refreshToken: "" }, 400, "validation_failed"],
  [{ refreshToken: 1 }, 400, "validation_failed"],
  [{ refreshToken: "x", more: 1 }, 400, "validation_failed"],
  [{ refreshToken: "x" }, 401, "refresh_token_invalid"],
  [{ refreshToken: "../../x" }, 401, "refresh_token_invalid"],
])("a refresh with %j is refused", async (json, status, code) => {
  await refused("POST /api/v1/auth/refresh", { json }, status, code);
});

test("a route that is not there is 404", async () => {
  await refused("DELETE /api/v1/users/{player}", {}, 404, "route_not_found");
});
