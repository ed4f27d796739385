import { beforeAll, expect, test } from "vitest";
import {
  type Account,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  createWelcomeBonus,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { until } from "../support/until.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

const verify = (player: Account, verified: boolean) =>
  api(`PATCH /users/api/v1/users/${player.id}/verification`, {
    token: staff.token,
    json: { verified, method: "Identity card", reason: "made by a test" },
  });
const rejected = (player: Account) => ({
  assigned: 0,
  alreadyAssigned: 0,
  rejected: [{ playerId: player.id, code: "player_not_verified" }],
});

test("a promotion for verified players is assigned and claimed once staff have verified them, and not without", async () => {
  const player = await registerPlayer();
  const { id } = await createPromotion(staff.token, { requiresVerification: true });
  expect(await assign(staff.token, id, [player.id])).toEqual(rejected(player));
  expect(await verify(player, true)).toMatchObject({ status: 200, body: { id: player.id, verified: true } });
  expect((await api("GET /users/api/v1/users/me", { token: player.token })).body.verified).toBe(true);
  await until("Promotions has heard of it", async () => (await assign(staff.token, id, [player.id])).assigned === 1);
  await verify(player, false);
  await until("Promotions has heard of that", async () => {
    const { body } = await api(`POST /promotions/api/v1/promotions/${id}/assign?dryRun=true`, {
      token: staff.token,
      json: { playerIds: [player.id] },
    });
    return body.rejected.length === 1;
  });
  expect(await claim(player, id)).toMatchObject({ status: 403, body: { code: "player_not_verified" } });
  await verify(player, true);
  const paid = await until("Promotions has heard of it again", async () => {
    const answer = await claim(player, id);
    return answer.status === 403 ? undefined : answer;
  });
  expect(paid).toMatchObject({ status: 201, body: { balanceMinor: 2000 } });
});

test("a welcome bonus for verified players is assigned at registration, and claimed once they are", async () => {
  const bonus = await createWelcomeBonus(staff.token, { requiresVerification: true });
  const player = await registerPlayer();
  expect(await untilAssigned(player, bonus.id)).toMatchObject({ promotion: { requiresVerification: true } });
  expect(await claim(player, bonus.id)).toMatchObject({ status: 403, body: { code: "player_not_verified" } });
  await verify(player, true);
  await until("it is paid", async () => (await claim(player, bonus.id)).status === 201);
  expect(await balanceOf(player)).toBe(2000);
});

test("whether it is required can change as long as it is a draft", async () => {
  const { id, requiresVerification } = await createPromotion(staff.token, { status: "draft" });
  const change = (json: unknown) => api(`PATCH /promotions/api/v1/promotions/${id}`, { token: staff.token, json });
  expect(requiresVerification).toBe(false);
  const activated = await change({ requiresVerification: true, status: "active" });
  expect(activated).toMatchObject({ status: 200, body: { requiresVerification: true } });
  expect(await change({ requiresVerification: true })).toMatchObject({ status: 200 });
  const refused = await change({ requiresVerification: false });
  expect(refused).toMatchObject({ status: 409, body: { code: "promotion_locked" } });
});

test("staff have no identity to verify, and what does not fit is refused", async () => {
  expect(await verify(staff, true)).toMatchObject({ status: 409, body: { code: "not_a_player" } });
  const player = await registerPlayer();
  for (const json of [
    { verified: true },
    { verified: "yes", method: "m", reason: "r" },
    { method: "m", reason: "r" },
  ]) {
    const { status } = await api(`PATCH /users/api/v1/users/${player.id}/verification`, { token: staff.token, json });
    expect(status).toBe(400);
  }
});
