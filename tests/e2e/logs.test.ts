import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import postgres from "postgres";
import { beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import {
  type Account,
  assign,
  claim,
  createPromotion,
  freshEmail,
  logInAdmin,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { listProcesses, startProcess, stopProcess } from "../support/control.ts";
import { tokenIn, untilMail } from "../support/mails.ts";
import { servers } from "../support/servers.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";
import { askForUpgrade, UPGRADE } from "../support/upgrade.ts";

const folder = path.join(servers.stackDir, "logs");
const newMark = () => `mark${newId().replaceAll("-", "")}`;

let staff: Account;
let player: Account;
let adminToken: string;
beforeAll(async () => {
  [staff, player, adminToken] = await Promise.all([registerStaff(), registerPlayer(), logInAdmin()]);
});

/** @returns the logs that hold a text */
async function logsWith(text: string): Promise<string[]> {
  const names = await readdir(folder);
  const contents = await Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
  return names.filter((_, index) => contents[index]?.toLowerCase().includes(text.toLowerCase())).sort();
}

/** One request through nginx, with an id of its own. @returns the id and the status, 0 if the answer was cut off */
async function send(
  route: string,
  { headers = {}, json, body }: { headers?: Record<string, string>; json?: unknown; body?: string } = {},
): Promise<{ requestId: string; status: number }> {
  const [method = "GET", target = "/"] = route.split(" ");
  const requestId = newId();
  const content = body ?? (json === undefined ? undefined : JSON.stringify(json));
  const type: Record<string, string> = content === undefined ? {} : { "content-type": "application/json" };
  const status = await fetch(servers.url + target, {
    method,
    headers: { "x-request-id": requestId, ...type, ...headers },
    redirect: "manual",
    ...(content === undefined ? {} : { body: content }),
  }).then(
    (answer) => answer.arrayBuffer().then(() => answer.status),
    () => 0,
  );
  return { requestId, status };
}

/** @returns nginx's line of a request; it writes them once a second */
async function accessLine(requestId: string) {
  const line = await until(`nginx has logged ${requestId}`, async () => {
    const text = await readFile(path.join(folder, "nginx-access.log"), "utf8");
    return text.split("\n").find((line) => line.includes(requestId));
  });
  return JSON.parse(line);
}

/** The operations of all three documents, with an id for every parameter of the path. */
async function allOperations(): Promise<string[]> {
  const documents = await Promise.all(
    ["users", "promotions", "notifications"].map(async (service) => {
      const { paths } = (await (await fetch(`${servers.url}/${service}/openapi.json`)).json()) as {
        paths: Record<string, object>;
      };
      return Object.entries(paths).flatMap(([template, methods]) =>
        Object.keys(methods).map(
          (method) => `${method.toUpperCase()} /${service}${template.replace(/\{\w+\}/g, () => newId())}`,
        ),
      );
    }),
  );
  return documents.flat();
}

/** What a client can say in a request's headers besides who they are. */
const headersWith = (mark: string) => ({
  cookie: `refreshToken=${mark}; consent=${mark}`,
  referer: `https://casino.example/?q=${mark}`,
  origin: `https://${mark}.example`,
  "accept-language": mark,
  traceparent: mark,
  "idempotency-key": mark,
  "x-forwarded-for": mark,
  "x-anything": mark,
});

test("nothing that a client sends in an address, a query, a header, a cookie, a password or a token is in any log", async () => {
  const mark = newMark();
  const email = `${mark}@example.com`;
  const query = `?q=${encodeURIComponent(email)}&cursor=${mark}&token=${mark}`;
  const body = {
    email,
    password: `password-${mark}`,
    refreshToken: mark,
    title: mark,
    description: mark,
    reason: mark,
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const sent: string[] = [];
  const note = async (...request: Parameters<typeof send>) => {
    const { requestId, status } = await send(...request);
    // Of what is too long nginx does not read the request's id.
    if (![414, 431].includes(status)) sent.push(requestId);
    return status;
  };

  // Every operation, as everybody; nothing of it is asked for rightly.
  for (const operation of await allOperations()) {
    const json = /^(GET|HEAD) /.test(operation) ? undefined : body;
    for (const token of [undefined, mark, player.token, staff.token, adminToken]) {
      const headers = { ...headersWith(mark), ...(token === undefined ? {} : bearer(token)) };
      await note(operation + query, { headers, json });
    }
  }

  // What is asked for rightly.
  const { password, title, description, reason } = body;
  const register = { headers: headersWith(mark), json: { email, password } };
  expect(await note("POST /users/api/v1/auth/register", register)).toBe(201);
  expect(await note("POST /users/api/v1/auth/register", register)).toBe(409);
  expect(await note("POST /users/api/v1/auth/register-staff", { ...register, headers: bearer(adminToken) })).toBe(409);
  expect(await note("POST /users/api/v1/auth/login", register)).toBe(200);
  expect(await note("POST /users/api/v1/auth/login", { json: { email, password: `wrong-${mark}` } })).toBe(401);
  expect(await note("POST /users/api/v1/auth/login", { body: `{"email":"${email}",` })).toBe(400);
  expect(await note("POST /users/api/v1/auth/refresh", { json: { refreshToken: mark } })).toBe(401);
  expect(await note("POST /users/api/v1/auth/password/forgot", { json: { email } })).toBe(202);
  const token = tokenIn((await untilMail(email, "Choose a new password")).text);
  const reset = { json: { token, newPassword: `new-password-${mark}` } };
  expect(await note("POST /users/api/v1/auth/password/reset", reset)).toBe(204);
  expect(await note("POST /users/api/v1/auth/password/reset", reset)).toBe(400);
  await untilMail(email, "Your password was changed");
  const found = await note(`GET /users/api/v1/users?q=${encodeURIComponent(email)}`, { headers: bearer(staff.token) });
  expect(found).toBe(200);
  const status = `PATCH /users/api/v1/users/${player.id}/status`;
  expect(await note(status, { headers: bearer(staff.token), json: { status: "active", reason } })).toBe(200);
  const promotion = await createPromotion(staff.token, { title, description });
  await assign(staff.token, promotion.id, [player.id]);
  await untilAssigned(player, promotion.id);
  expect((await claim(player, promotion.id)).status).toBe(201);

  // What nginx refuses by itself, and what it can't hand on.
  const large = { body: "x".repeat(2_000_000), headers: headersWith(mark) };
  await note(`POST /users/api/v1/users${query}`, large);
  await note(`POST /nowhere${query}`, large);
  await note(`DELETE /nowhere${query}`, { headers: headersWith(mark) });
  await note(`GET /users/api/v1/users?q=${mark.repeat(300)}`);
  await note(`GET /users/api/v1/users${query}`, { headers: { "x-long": mark.repeat(300) } });
  const notifications = (await listProcesses()).filter(({ role }) => role === "notifications");
  await Promise.all(notifications.map(({ name }) => stopProcess(name)));
  try {
    expect(await note(`GET /notifications/api/v1/notifications${query}`, { headers: headersWith(mark) })).toBe(502);
  } finally {
    await Promise.all(notifications.map(({ name }) => startProcess(name)));
  }

  // Sockets.
  for (const line of [`Authorization: Bearer ${mark}`, `Sec-WebSocket-Protocol: casino.v1, bearer.${mark}`]) {
    await askForUpgrade(servers.url, [...UPGRADE, line, `Cookie: a=${mark}`], { query });
  }
  await askForUpgrade(servers.url, [`Cookie: a=${mark}`], { query });
  const socket = await openSocket(player.token, { cursor: mark });
  socket.send({ type: "subscribe", channel: mark });
  socket.send({ type: "auth", accessToken: mark });
  expect(await socket.untilClosed()).toBe(4401);

  for (const requestId of sent.slice(-10)) await accessLine(requestId);
  expect(await logsWith(mark)).toEqual([]);
  expect(await logsWith(token)).toEqual([]);
});

test("PostgreSQL logs no values of what fails, neither parameters nor text", async () => {
  const mark = newMark();
  const sql = postgres(servers.usersDatabaseUrl, { max: 1, onnotice: () => {} });
  const insert = (email: string) =>
    sql`insert into users (email, password_hash, role, currency) values (${email}, ${mark}, 'player', 'EUR')`;
  try {
    await insert(`${mark}@example.com`);
    await expect(insert(`${mark}@example.com`)).rejects.toThrow("users_email_key");
    await expect(sql.unsafe(`select '${mark}' from nowhere`)).rejects.toThrow("nowhere");
    await expect(sql`update users set balance_minor = -1 where password_hash = ${mark}`).rejects.toThrow("check");
  } finally {
    await sql`delete from users where password_hash = ${mark}`;
    await sql.end();
  }
  expect(await logsWith("users_email_key")).toEqual(["postgres.log"]);
  expect(await logsWith(mark)).toEqual([]);
});

test("a taken address is no error of PostgreSQL's, which would log it", async () => {
  const before = await readFile(path.join(folder, "postgres.log"), "utf8");
  const json = { email: player.email, password: player.password };
  const { requestId, status } = await send("POST /users/api/v1/auth/register", { json });
  expect(status).toBe(409);
  await accessLine(requestId);
  expect((await readFile(path.join(folder, "postgres.log"), "utf8")).slice(before.length)).not.toContain(
    "users_email_key",
  );
});

test("what nginx's log says of a client's is the address, the path, the user agent and the request's id", async () => {
  const [inPath, agent, id] = [newMark(), newMark(), newMark()];
  await send(`GET /users/api/v1/users/${inPath}?q=x`, { headers: { "user-agent": agent, "x-request-id": id } });
  expect(await accessLine(id)).toMatchObject({
    path: `/users/api/v1/users/${inPath}`,
    userAgent: agent,
    requestId: id,
  });
  expect(await logsWith(inPath)).toEqual(["nginx-access.log"]);
  expect(await logsWith(agent)).toEqual(["nginx-access.log"]);
});

test.each([
  ["a body that is too large", "PATCH /users/api/v1/users/me", { body: "x".repeat(200_000) }, 413],
  ["a path of nobody's", "DELETE /nowhere", {}, 404],
  ["a header that is too long", "OPTIONS /users/", { headers: { "x-long": "x".repeat(9_000) } }, 431],
])("nginx logs its own answers with the method of the request: %s", async (_what, route, request, status) => {
  const { requestId } = await send(route, request);
  expect(await accessLine(requestId)).toMatchObject({ method: route.split(" ")[0], status });
});

test("nginx's line tells how long each step to the service took", async () => {
  const { requestId } = await send("GET /users/api/v1/users/me", {
    headers: { authorization: `Bearer ${player.token}` },
  });
  const line = await accessLine(requestId);
  expect(line).toMatchObject({ method: "GET", status: 200, upstreamStatus: "200" });
  for (const field of ["upstreamConnectSeconds", "upstreamHeaderSeconds", "upstreamDurationSeconds"]) {
    expect(line[field]).toMatch(/^\d+\.\d{3}$/);
  }
});

test("only their owner can read the logs", async () => {
  const names = await readdir(folder);
  const modes = await Promise.all(
    ["", ...names].map(async (name) => (await stat(path.join(folder, name))).mode & 0o777),
  );
  expect(modes[0]).toBe(0o700);
  expect(new Set(modes.slice(1))).toEqual(new Set([0o600]));
  expect(names).toEqual(expect.arrayContaining(["nginx.log", "nginx-access.log", "postgres.log", "users-1.log"]));
});

test("a failed login can be followed from nginx's line to the account", async () => {
  const { requestId } = await send("POST /users/api/v1/auth/login", {
    json: { email: player.email, password: "not-the-password" },
  });
  expect(await accessLine(requestId)).toMatchObject({ remoteAddress: "127.0.0.1", status: 401 });
  const [log] = (await logsWith(requestId)).filter((name) => name.startsWith("users-"));
  const text = await readFile(path.join(folder, log as string), "utf8");
  const line = text.split("\n").find((line) => line.includes(requestId));
  expect(JSON.parse(line as string)).toMatchObject({ code: "invalid_credentials", userId: player.id });
  const { requestId: other } = await send("POST /users/api/v1/auth/login", {
    json: { email: freshEmail(), password: "not-the-password" },
  });
  await accessLine(other);
});
