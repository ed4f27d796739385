import { beforeAll, expect, test } from "vitest";
import { GUESSES_PER_PLAYER } from "../../domain/promotions/assignments/code-guesses.ts";
import { generateCode } from "../../domain/promotions/promotions/code.ts";
import {
  type Account,
  type ApiResponse,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  endWelcomeBonuses,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { until } from "../support/until.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
  await endWelcomeBonuses(staff.token); // so that nobody is told of anything but what is entered here
});

/** A player of whom Promotions has heard. */
async function knownPlayer(): Promise<Account> {
  const player = await registerPlayer();
  const { id } = await createPromotion(staff.token);
  await until("Promotions knows the player", async () => {
    const { body } = await api(`POST /promotions/api/v1/promotions/${id}/assign?dryRun=true`, {
      token: staff.token,
      json: { playerIds: [player.id] },
    });
    return body.assigned === 1;
  });
  return player;
}
const enter = (player: Account, code: string) =>
  api("POST /promotions/api/v1/promotions/opt-in", { token: player.token, json: { code } });
const setStatus = (id: string, status: string) =>
  api(`PATCH /promotions/api/v1/promotions/${id}`, { token: staff.token, json: { status } });
const statusesOf = (answers: ApiResponse[]) => answers.map(({ status }) => status).sort();

test("a code entered 20 times at once: assigned once, announced once, claimed as any other, and shown to no player", async () => {
  const player = await knownPlayer();
  const { id, code } = await createPromotion(staff.token, { generateCode: true });
  const answers = await Promise.all(Array.from({ length: 20 }, () => enter(player, ` ${code.toLowerCase()} `)));
  expect(statusesOf(answers)).toEqual([...Array(19).fill(200), 201]);
  const list = await api(`GET /promotions/api/v1/promotions/players/${player.id}`, { token: player.token });
  expect(list.body.data).toHaveLength(1);
  for (const { body } of answers) expect(body).toEqual(list.body.data[0]);
  expect(list.body.data[0]).toMatchObject({ promotion: { id }, status: "assigned" });

  const notified = await until("they are told", async () => {
    const { body } = await api("GET /notifications/api/v1/notifications", { token: player.token });
    return body.data.length > 0 && body;
  });
  expect(notified.data).toMatchObject([{ type: "PROMOTION", content: { promotionId: id } }]);
  expect((await claim(player, id)).status).toBe(201);
  expect(await balanceOf(player)).toBe(2000);
  expect(await enter(player, code)).toMatchObject({ status: 200, body: { status: "claimed" } });
  const afterwards = await api("GET /notifications/api/v1/notifications", { token: player.token });
  expect(afterwards.body.data).toHaveLength(1);

  expect(JSON.stringify([answers, list, notified])).not.toContain(code);
  const read = await api(`GET /promotions/api/v1/promotions/${id}`, { token: staff.token });
  expect(read.body.code).toBe(code);
  const found = await api(`GET /promotions/api/v1/promotions?q=${code.toLowerCase()}`, { token: staff.token });
  expect(found.body.data).toMatchObject([{ id, code }]);
});

test("staff choose a code, in whatever case and with spaces; another promotion has it once that one has ended", async () => {
  const code = generateCode();
  const chosen = await createPromotion(staff.token, { code: ` ${code.slice(0, 5).toLowerCase()} ${code.slice(5)}` });
  expect(chosen.code).toBe(code);
  const other = promotionInput({ code });
  const taken = await api("POST /promotions/api/v1/promotions", { token: staff.token, json: other });
  expect(taken).toMatchObject({ status: 409, body: { code: "code_taken" } });
  const draft = await createPromotion(staff.token, { status: "draft" });
  const change = (json: unknown) =>
    api(`PATCH /promotions/api/v1/promotions/${draft.id}`, { token: staff.token, json });
  expect(await change({ code })).toMatchObject({ status: 409, body: { code: "code_taken" } });
  await setStatus(chosen.id, "ended");
  expect(await change({ code })).toMatchObject({ status: 200, body: { code } });
  await change({ status: "active" });
  expect(await change({ code: null })).toMatchObject({ status: 409, body: { code: "promotion_locked" } });
});

test("a code that nobody gave out and one that is not active get the same answer", async () => {
  const player = await knownPlayer();
  const paused = await createPromotion(staff.token, { generateCode: true });
  await setStatus(paused.id, "paused");
  const draft = await createPromotion(staff.token, { generateCode: true, status: "draft" });
  const answerTo = async (code: string) => {
    const { status, body } = await enter(player, code);
    const { requestId: _, ...rest } = body;
    return { status, ...rest };
  };
  const unknown = await answerTo(generateCode());
  expect(unknown).toMatchObject({ status: 404, code: "code_unknown" });
  expect(await answerTo(paused.code)).toEqual(unknown);
  expect(await answerTo(draft.code)).toEqual(unknown);
  await setStatus(paused.id, "active");
  expect((await enter(player, paused.code)).status).toBe(201);
});

test("after so many wrong codes, at whatever replica, not even a right one is looked up for a while", async () => {
  const [guesser, other] = [await knownPlayer(), await knownPlayer()];
  const { code } = await createPromotion(staff.token, { generateCode: true });
  const { points, windowSeconds } = GUESSES_PER_PLAYER;
  const guesses = await Promise.all(Array.from({ length: points + 10 }, () => enter(guesser, generateCode())));
  expect(statusesOf(guesses)).toEqual([...Array(points).fill(404), ...Array(10).fill(429)]);
  const refused = await enter(guesser, code);
  expect(refused).toMatchObject({ status: 429, body: { code: "too_many_attempts" } });
  const retryAfter = Number(refused.headers.get("retry-after"));
  expect(retryAfter).toBeGreaterThan(0);
  expect(retryAfter).toBeLessThanOrEqual(windowSeconds);
  expect((await enter(other, code)).status).toBe(201);
});

test("what was withdrawn from a player they don't get a second time", async () => {
  const player = await knownPlayer();
  const { id, code } = await createPromotion(staff.token, { generateCode: true });
  expect((await enter(player, code)).status).toBe(201);
  const revoked = await api(`POST /promotions/api/v1/promotions/${id}/assignments/${player.id}/revoke`, {
    token: staff.token,
    json: { reason: "made by a test" },
  });
  expect(revoked.status).toBe(200);
  expect(await enter(player, code)).toMatchObject({ status: 409, body: { code: "promotion_revoked" } });
  expect((await assign(staff.token, id, [player.id])).alreadyAssigned).toBe(1);
  expect(await enter(player, code)).toMatchObject({ status: 409, body: { code: "promotion_revoked" } });
});

test.each([
  ["none", {}],
  ["an empty one", { code: " " }],
  ["one that is far too long", { code: "A".repeat(101) }],
  ["a number", { code: 1234 }],
  ["an unknown field besides", { code: "ABCD", playerId: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11" }],
])("a request whose code is %s is refused", async (_, json) => {
  const { token } = await registerPlayer();
  const answer = await api("POST /promotions/api/v1/promotions/opt-in", { token, json });
  expect(answer).toMatchObject({ status: 400, body: { code: "validation_failed" } });
});
