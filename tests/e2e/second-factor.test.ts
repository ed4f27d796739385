import path from "node:path";
import { execa, type ResultPromise } from "execa";
import getPort from "get-port";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layoutOf, ROOT } from "../../stack/plan/layout.ts";
import { type Account, type ApiResponse, api, PASSWORD, promotionInput, registerStaff } from "../support/api.ts";
import { codeOf } from "../support/second-factor.ts";
import { servers } from "../support/servers.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

const { secrets } = layoutOf(servers.stackDir);
const secret = (name: string) => path.join(secrets, name);
const store = {
  DATABASE_URL_FILE: secret("users-database-url"),
  REDIS_URL_FILE: secret("redis-url"),
};

/** A replica of Users beside the stack's, as every deployment but that of one machine runs it: staff need a second factor. */
let replica: { process: ResultPromise; url: string };
beforeAll(async () => {
  const [port, grpcPort, internalPort] = [await getPort(), await getPort(), await getPort()];
  const process_ = execa(process.execPath, [path.join(ROOT, "dist/functions/users/main.js")], {
    extendEnv: false,
    reject: false,
    stdout: "ignore",
    stderr: "inherit",
    env: {
      ...store,
      PORT: String(port),
      GRPC_PORT: String(grpcPort),
      INTERNAL_PORT: String(internalPort),
      JWT_SIGNING_KEYS_FILE: secret("jwt-signing-keys.json"),
      REFRESH_TOKEN_KEY_FILE: secret("refresh-token-key"),
      SECOND_FACTOR_KEY_FILE: secret("second-factor-key"),
      MAIL_LINK_KEY_FILE: secret("mail-link-key"),
      SERVICE_TOKEN_FILE: secret("service-token"),
      PUBLIC_URL: servers.url,
    },
  });
  replica = { process: process_, url: `http://127.0.0.1:${port}` };
  await until(
    "the replica is ready",
    async () => (await fetch(`http://127.0.0.1:${internalPort}/readyz`).catch(() => undefined))?.ok,
  );
});
afterAll(async () => {
  replica.process.kill();
  await replica.process;
});

/** One request to the replica itself. */
async function ask(route: string, json: unknown, token?: string) {
  const [method = "", target = ""] = route.split(" ");
  const response = await fetch(replica.url + target, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(json),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  return { status: response.status, body: (await response.json()) as any };
}

const credentialsOf = ({ email }: Account) => ({ email, password: PASSWORD, tokenDelivery: "body" });
const logIn = (account: Account): Promise<ApiResponse> =>
  api("POST /users/api/v1/auth/login", { json: credentialsOf(account) });
const answer = (challenge: string, code: string) =>
  api("POST /users/api/v1/auth/second-factor", { json: { challenge, code } });

test("by default staff need a second factor: without it every service and the gateway refuse them, refreshed or not", async () => {
  const admin = await registerStaff("admin");
  const opened = await ask("POST /api/v1/auth/login", credentialsOf(admin));
  expect(opened).toMatchObject({ status: 200, body: { restriction: "second_factor" } });
  const refreshed = await ask("POST /api/v1/auth/refresh", { refreshToken: opened.body.refreshToken });
  for (const token of [opened.body.accessToken, refreshed.body.accessToken]) {
    const answers = await Promise.all([
      api("GET /users/api/v1/users", { token }),
      api("POST /users/api/v1/auth/register-staff", { token, json: {} }),
      api("POST /promotions/api/v1/promotions", { token, json: promotionInput() }),
      api("GET /notifications/api/v1/notifications", { token }),
    ]);
    for (const { status, body } of answers) expect([status, body.code]).toEqual([403, "session_restricted"]);
    const socket = await openSocket(token);
    expect([await socket.untilClosed(), socket.closeReason]).toEqual([4401, "session_restricted"]);
  }
});

test("with it they are let in everywhere; of twenty uses of a code at all replicas at once one succeeds; an operator resets it", async () => {
  const staff = await registerStaff();
  const { accessToken } = (await ask("POST /api/v1/auth/login", credentialsOf(staff))).body;
  const { secret: totp } = (await ask("POST /api/v1/auth/totp", {}, accessToken)).body;
  const confirmed = await ask("POST /api/v1/auth/totp/confirm", { code: codeOf(totp) }, accessToken);
  expect(confirmed.status).toBe(200);
  const { challenge } = (await logIn(staff)).body;
  const code = codeOf(totp, 1);
  const answers = await Promise.all(Array.from({ length: 20 }, () => answer(challenge, code)));
  const [opened, ...others] = answers.filter(({ status }) => status === 200);
  expect(others).toEqual([]);
  for (const { status } of answers.filter((candidate) => candidate !== opened)) expect([401, 429]).toContain(status);
  const refreshed = await ask("POST /api/v1/auth/refresh", { refreshToken: opened?.body.refreshToken });
  const token = refreshed.body.accessToken;
  const reads = [
    "GET /users/api/v1/users",
    "GET /promotions/api/v1/promotions",
    "GET /notifications/api/v1/notifications",
  ];
  for (const read of reads) expect((await api(read, { token })).status, read).toBe(200);

  const { stdout } = await execa(process.execPath, [path.join(ROOT, "dist/jobs/reset-second-factor/main.js")], {
    extendEnv: false,
    env: { ...store, EMAIL: staff.email },
  });
  expect(stdout).toBe(`account ${staff.id} has no second factor any more, and all of its sessions have ended`);
  expect((await ask("POST /api/v1/auth/refresh", { refreshToken: refreshed.body.refreshToken })).status).toBe(401);
  await until("its tokens are refused", async () => {
    const { body } = await api(reads[1] as string, { token });
    return body.code === "session_revoked";
  });
  expect((await ask("POST /api/v1/auth/login", credentialsOf(staff))).body.restriction).toBe("second_factor");
});
