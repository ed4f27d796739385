import { expect, test } from "vitest";
import { api, freshEmail, logIn, logInAdmin, PASSWORD, registerStaff } from "../support/api.ts";
import { mailsTo, tokenIn, untilMail } from "../support/mails.ts";
import { servers } from "../support/servers.ts";

const INVITED = "You are invited to work with us";

const invite = (token: string, email: string, role: "staff" | "admin" = "staff") =>
  api("POST /users/api/v1/auth/register-staff", { token, json: { email, role } });
const accept = (token: string, password = PASSWORD) =>
  api("POST /users/api/v1/auth/invitation/accept", { json: { token, password } });

test("an admin invites, and the new member chooses their own password by the link of a mail", async () => {
  const email = freshEmail("staff");
  const invited = await invite(await logInAdmin(), email, "admin");
  expect(invited).toMatchObject({ status: 201, body: { email, role: "admin", status: "active" } });
  const refused = await api("POST /users/api/v1/auth/login", { json: { email, password: PASSWORD } });
  const unknown = await api("POST /users/api/v1/auth/login", { json: { email: freshEmail(), password: PASSWORD } });
  const answerOf = ({ status, body }: typeof refused) => [status, body.code, body.detail];
  expect(answerOf(refused)).toEqual(answerOf(unknown));

  const { text } = await untilMail(email, INVITED);
  expect(text).toContain(`${servers.url}/account/accept-invitation#token=`);
  const token = tokenIn(text);
  const outcomes = await Promise.all([1, 2, 3].map((nth) => accept(token, `${PASSWORD} ${nth}`)));
  expect(outcomes.map(({ status }) => status).sort()).toEqual([204, 400, 400]);
  for (const { status, body } of outcomes) if (status === 400) expect(body.code).toBe("link_invalid");
  const winner = outcomes.findIndex(({ status }) => status === 204) + 1;
  const { body } = await api("GET /users/api/v1/users/me", { token: await logIn(email, `${PASSWORD} ${winner}`) });
  expect(body).toMatchObject({ id: invited.body.id, role: "admin" });
  expect((await invite(await logInAdmin(), email)).body.code).toBe("email_taken");
});

test("who is invited again has the same account, and only the newest link is good", async () => {
  const [email, admin] = [freshEmail("staff"), await registerStaff("admin")];
  const first = await invite(admin.token, email);
  const older = tokenIn((await untilMail(email, INVITED)).text);
  const again = await invite(admin.token, email);
  expect(again).toMatchObject({ status: 201, body: first.body });
  const newest = tokenIn((await untilMail(email, INVITED, 2)).text);
  expect(await accept(older)).toMatchObject({ status: 400, body: { code: "link_invalid" } });
  expect((await accept(newest)).status).toBe(204);
  await logIn(email, PASSWORD);
});

test("who has not accepted gets no mail for a forgotten password", async () => {
  const email = freshEmail("staff");
  const { token } = await registerStaff("admin");
  await invite(token, email);
  await untilMail(email, INVITED);
  const asked = await api("POST /users/api/v1/auth/password/forgot", { json: { email } });
  expect(asked).toMatchObject({ status: 202, body: undefined });
  await invite(token, email);
  await untilMail(email, INVITED, 2); // which was asked for later
  expect((await mailsTo(email)).map(({ subject }) => subject)).toEqual([INVITED, INVITED]);
});
