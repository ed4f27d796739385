import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { connectDatabase } from "../../lib/postgres.ts";
import { api, freshEmail, logIn, registerPlayer } from "../support/api.ts";
import { killProcess, startProcess, stopProcess } from "../support/control.ts";
import { mailsTo, tokenIn, untilMail } from "../support/mails.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

const NEW = "another-password-of-mine";

const forgot = (email: string) => api("POST /users/api/v1/auth/password/forgot", { json: { email } });
const subjectsTo = async (email: string) => (await mailsTo(email)).map(({ subject }) => subject);
const reset = (token: string, newPassword: string) =>
  api("POST /users/api/v1/auth/password/reset", { json: { token, newPassword } });

test("who has forgotten their password chooses another one with the link of a mail, and every session ends", async () => {
  const player = await registerPlayer();
  expect(await forgot(player.email)).toMatchObject({ status: 202, body: undefined });
  const { text } = await untilMail(player.email, "Choose a new password");
  expect(text).toContain(`${servers.url}/account/reset-password#token=`);
  const token = tokenIn(text);
  const outcomes = await Promise.all([1, 2, 3].map((nth) => reset(token, `${NEW} ${nth}`)));
  expect(outcomes.map(({ status }) => status).sort()).toEqual([204, 400, 400]);
  const winner = outcomes.findIndex(({ status }) => status === 204) + 1;
  for (const { status, body } of outcomes) if (status === 400) expect(body.code).toBe("link_invalid");
  await logIn(player.email, `${NEW} ${winner}`);
  await until("the session before is refused", async () => {
    const { body } = await api("GET /users/api/v1/users/me", { token: player.token });
    return body.code === "session_revoked";
  });
  await untilMail(player.email, "Your password was changed");
});

test("an address that nobody has gets the same answer and no mail", async () => {
  const [unknown, player] = [freshEmail(), await registerPlayer()];
  const [first, second] = [await forgot(unknown), await forgot(player.email)];
  expect([first.status, first.body]).toEqual([second.status, second.body]);
  await untilMail(player.email, "Choose a new password"); // which was asked for later
  expect(await mailsTo(unknown)).toEqual([]);
});

test("while the mail server is away the answer is the same, and the mail comes when it is back", async () => {
  const player = await registerPlayer();
  await stopProcess("mail");
  try {
    expect((await forgot(player.email)).status).toBe(202);
  } finally {
    await startProcess("mail");
  }
  await untilMail(player.email, "Choose a new password");
});

test("a mailer that is killed while it sends loses nothing", async () => {
  const players = await Promise.all(Array.from({ length: 20 }, registerPlayer));
  await Promise.all(players.map(({ email }) => forgot(email)));
  await killProcess("mailer-1");
  // What it had taken is taken over when its lease of a minute has run out, which is now; but for what commits only after this.
  const users = connectDatabase({ url: servers.usersDatabaseUrl, name: "test", connectionsMax: 1 });
  await users.client`update mails set next_attempt_at = now() where sent_at is null and next_attempt_at > now()`;
  await users.close();
  await Promise.all(
    players.map(({ email }) =>
      until(`${email} has its mails`, async () => new Set(await subjectsTo(email)).size === 2, { timeoutMs: 80_000 }),
    ),
  );
  for (const { email } of players) {
    // The other one is that of the registration.
    const ids = new Set((await mailsTo(email)).map(({ messageId }) => messageId));
    expect(ids.size).toBe(2);
  }
});

test("only their owner can read the mails of the local stack", async () => {
  const folder = path.join(servers.stackDir, "mails");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt"));
  expect(names).not.toEqual([]);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  for (const name of names) expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
});
