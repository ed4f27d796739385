import { beforeAll, expect, test } from "vitest";
import {
  type Account,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  createWelcomeBonus,
  endWelcomeBonuses,
  promotionInput,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { openSocket } from "../support/socket.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

test("the same claim sent 20 times at once pays once and answers each with the same transaction", async () => {
  const player = await registerPlayer();
  const promotion = await createPromotion(staff.token, { amountMinor: 700 });
  await assign(staff.token, promotion.id, [player.id]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => claim(player, promotion.id)));
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201]);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await balanceOf(player)).toBe(700);
  const { body } = await api("GET /users/api/v1/transactions", { token: player.token });
  expect(body.data).toHaveLength(1);
  expect(body.data[0].id).toBe(answers[0]?.body.transactionId);
});

test("of 50 welcome bonuses with overlapping windows created at once exactly one is accepted", async () => {
  await endWelcomeBonuses(staff.token);
  const year = new Date().getUTCFullYear() + 4;
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => {
      const json = promotionInput({
        type: "WELCOME_BONUS",
        startsAt: new Date(Date.UTC(year, 0, 1 + (i % 10))).toISOString(),
        endsAt: new Date(Date.UTC(year, 1, 1 + i)).toISOString(),
        status: i % 2 === 0 ? "active" : "draft",
      });
      return api("POST /promotions/api/v1/promotions", { token: staff.token, json });
    }),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused.every(({ status, body }) => status === 409 && body.code === "welcome_bonus_overlap")).toBe(true);
});

test("200 players register at once, each on a socket: each gets exactly one notification, claims it, and has the amount once", async () => {
  const bonus = await createWelcomeBonus(staff.token, { amountMinor: 1234 });
  const players = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const player = await registerPlayer();
      return { player, socket: await openSocket(player.token) };
    }),
  );
  await Promise.all(
    players.map(({ socket }) => socket.next("the bonus is pushed", (frame) => frame.content?.promotionId === bonus.id)),
  );
  const claims = await Promise.all(
    players.map(async ({ player }) => {
      await untilAssigned(player, bonus.id);
      return claim(player, bonus.id);
    }),
  );
  expect(claims.every(({ status }) => status === 201)).toBe(true);
  const balances = await Promise.all(players.map(({ player }) => balanceOf(player)));
  expect(new Set(balances)).toEqual(new Set([1234]));
  // Whatever was pushed twice would have come by now: the claims took longer than the pushes.
  expect(players.map(({ socket }) => socket.notifications().length)).toEqual(Array(200).fill(1));
  for (const { socket } of players) socket.close();
});

test("the welcome bonus that counts is the one active at registration: paused, ended or none means none", async () => {
  const bonus = await createWelcomeBonus(staff.token);
  const before = await registerPlayer();
  await api(`PATCH /promotions/api/v1/promotions/${bonus.id}`, { token: staff.token, json: { status: "paused" } });
  const during = await registerPlayer();
  await api(`PATCH /promotions/api/v1/promotions/${bonus.id}`, { token: staff.token, json: { status: "active" } });
  const after = await registerPlayer();
  await untilAssigned(before, bonus.id);
  await untilAssigned(after, bonus.id);
  // `during` and `after` may be in different partitions, so wait until Promotions knows `during` too.
  const other = await createPromotion(staff.token);
  await assign(staff.token, other.id, [during.id]);
  const { body } = await api(`GET /promotions/api/v1/promotions/players/${during.id}`, { token: during.token });
  expect(body.data.map((item: { promotion: { id: string } }) => item.promotion.id)).toEqual([other.id]);
});
