import { expect, test } from "vitest";
import { type Account, api, freshEmail, logIn, PASSWORD, registerPlayer } from "../support/api.ts";
import { mailsTo, tokenIn, untilMail } from "../support/mails.ts";
import { servers } from "../support/servers.ts";

const ask = (account: Account, newEmail: string, currentPassword = PASSWORD) =>
  api("POST /users/api/v1/auth/email", { token: account.token, json: { newEmail, currentPassword } });
const verify = (token: string) => api("POST /users/api/v1/auth/email/verify", { json: { token } });
const profileOf = async ({ token }: Account) => (await api("GET /users/api/v1/users/me", { token })).body;

test("who registers is mailed a link, and with it the address is verified; the identity is not", async () => {
  const player = await registerPlayer();
  expect(await profileOf(player)).toMatchObject({ emailVerified: false });
  const { text } = await untilMail(player.email, "Confirm your e-mail address");
  expect(text).toContain(`${servers.url}/account/verify-email#token=`);
  const token = tokenIn(text);
  const outcomes = await Promise.all([1, 2, 3].map(() => verify(token)));
  expect(outcomes.map(({ status }) => status).sort()).toEqual([204, 400, 400]);
  for (const { status, body } of outcomes) if (status === 400) expect(body.code).toBe("link_invalid");
  expect(await profileOf(player)).toMatchObject({ emailVerified: true, verified: false });
  expect(await ask(player, player.email)).toMatchObject({ status: 202, body: undefined });
  expect((await verify(tokenIn((await untilMail(player.email, "Confirm your e-mail address", 2)).text))).status).toBe(
    204,
  );
});

test("an address changes with the link that was mailed to the new one, and the old one is told", async () => {
  const [player, newEmail] = [await registerPlayer(), freshEmail()];
  expect(await ask(player, newEmail, "a-wrong-password")).toMatchObject({
    status: 403,
    body: { code: "current_password_wrong" },
  });
  expect((await ask(player, newEmail)).status).toBe(202);
  await untilMail(player.email, "Your account is to have another e-mail address");
  const token = tokenIn((await untilMail(newEmail, "Confirm your new e-mail address")).text);
  expect(await profileOf(player)).toMatchObject({ email: player.email });
  expect((await verify(token)).status).toBe(204);
  await untilMail(player.email, "Your account has another e-mail address");
  expect(await profileOf(player)).toMatchObject({ email: newEmail, emailVerified: true });
  await logIn(newEmail, PASSWORD);
  const before = tokenIn((await untilMail(player.email, "Confirm your e-mail address")).text);
  for (const used of [token, before]) expect((await verify(used)).body.code).toBe("link_invalid");
});

test("that an address is taken is told to whoever has its mailbox, and to nobody else", async () => {
  const [player, other] = [await registerPlayer(), await registerPlayer()];
  expect(await ask(player, other.email)).toMatchObject({ status: 202, body: undefined });
  const { text } = await untilMail(other.email, "Confirm your new e-mail address");
  expect(await verify(tokenIn(text))).toMatchObject({ status: 409, body: { code: "email_taken" } });
  expect(await profileOf(player)).toMatchObject({ email: player.email });
  expect(await mailsTo(player.email)).not.toContainEqual(
    expect.objectContaining({ subject: "Your account has another e-mail address" }),
  );
});
