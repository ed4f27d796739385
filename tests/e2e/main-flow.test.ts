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
  freshEmail,
  logIn,
  PASSWORD,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { type Frame, openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

test("a login from a new device, and a changed password, are told on the open socket and in the list", async () => {
  const player = await registerPlayer();
  const socket = await openSocket(player.token);
  const isTold = (kind: string) => (frame: Frame) => frame.event === "ACCOUNT" && frame.content.kind === kind;
  const json = { email: player.email, password: PASSWORD };
  await api("POST /users/api/v1/auth/login", { json, headers: { "user-agent": "Phone/1.0" } });
  const device = await socket.next("the new device is told", isTold("new_device"));
  expect(device.content).toEqual({ kind: "new_device", userAgent: "Phone/1.0" });
  await api("POST /users/api/v1/auth/password", {
    token: player.token,
    json: { currentPassword: PASSWORD, newPassword: "another, long enough" },
  });
  const password = await socket.next("the new password is told", isTold("password_changed"));
  expect(password.content).toEqual({ kind: "password_changed" });
  const { body } = await api("GET /notifications/api/v1/notifications", { token: player.token });
  const listed = body.data.filter(({ type }: { type: string }) => type === "ACCOUNT");
  expect(listed.map(({ id }: { id: string }) => id)).toEqual([password.id, device.id]);
});

test("register: the active welcome bonus is assigned, pushed to the open socket, claimed, and the money is in the balance", async () => {
  const bonus = await createWelcomeBonus(staff.token, { amountMinor: 2000, title: "Welcome" });
  const player = await registerPlayer();
  const socket = await openSocket(player.token);
  const pushed = await socket.next("the welcome bonus is pushed", ({ type }) => type === "notification");
  expect(pushed).toMatchObject({
    event: "PROMOTION",
    content: { promotionId: bonus.id, title: "Welcome", type: "WELCOME_BONUS", amountMinor: 2000, currency: "EUR" },
  });
  expect(pushed.content).toEqual({
    promotionId: bonus.id,
    title: bonus.title,
    description: bonus.description,
    type: bonus.type,
    amountMinor: bonus.amountMinor,
    currency: bonus.currency,
    startsAt: bonus.startsAt,
    endsAt: bonus.endsAt,
  });

  const assigned = await untilAssigned(player, bonus.id);
  expect(assigned).toMatchObject({ status: "assigned", claimedAt: null, transactionId: null });

  const claimed = await claim(player, bonus.id);
  expect(claimed.status).toBe(201);
  expect(claimed.body).toMatchObject({
    promotionId: bonus.id,
    status: "claimed",
    amountMinor: 2000,
    balanceMinor: 2000,
  });
  const again = await claim(player, bonus.id);
  expect(again.status).toBe(200);
  expect(again.body).toEqual(claimed.body);

  expect(await balanceOf(player)).toBe(2000);
  const transactions = await api("GET /users/api/v1/transactions", { token: player.token });
  expect(transactions.body.data).toMatchObject([
    { id: claimed.body.transactionId, type: "CREDIT", amountMinor: 2000, balanceAfterMinor: 2000, currency: "EUR" },
  ]);
  expect(await untilAssigned(player, bonus.id)).toMatchObject({
    status: "claimed",
    transactionId: claimed.body.transactionId,
  });
  socket.close();
});

test("assign: staff give a promotion by hand; online players see it at once, offline ones find it later", async () => {
  await endWelcomeBonuses(staff.token); // so that nothing but what is assigned here arrives
  const promotion = await createPromotion(staff.token, { type: "VIP_PROMOTION", amountMinor: 500 });
  const [online, offline] = await Promise.all([registerPlayer(), registerPlayer()]);
  const socket = await openSocket(online.token);
  await socket.untilReady();
  const unknown = "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11";
  await assign(staff.token, promotion.id, [online.id]);
  await until("Promotions knows the other player too", async () => {
    const { body } = await api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, {
      token: staff.token,
      json: { playerIds: [offline.id] },
    });
    return body.assigned + body.alreadyAssigned === 1;
  });
  const { body } = await api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, {
    token: staff.token,
    json: { playerIds: [online.id, offline.id, unknown, unknown.toUpperCase()] },
  });
  expect(body).toEqual({
    assigned: 0,
    alreadyAssigned: 2,
    rejected: [{ playerId: unknown, code: "player_not_found" }],
  });
  await socket.next("the promotion is pushed", (frame) => frame.content?.promotionId === promotion.id);
  socket.close();

  const found = await until("the offline player finds it", async () => {
    const page = await api("GET /notifications/api/v1/notifications?unread=true", { token: offline.token });
    return page.body.data.some(
      (item: { content: { promotionId: string } }) => item.content.promotionId === promotion.id,
    )
      ? page.body
      : undefined;
  });
  const unreadCount: number = found.unreadCount;
  const notification = found.data.find(
    (item: { content: { promotionId: string } }) => item.content.promotionId === promotion.id,
  );
  expect(notification).toMatchObject({ type: "PROMOTION", readAt: null });
  const read = await api(`POST /notifications/api/v1/notifications/${notification.id}/read`, { token: offline.token });
  expect(read.status).toBe(204);
  const after = await api("GET /notifications/api/v1/notifications?unread=true", { token: offline.token });
  expect(after.body.unreadCount).toBe(unreadCount - 1);
});

test("a client that resumes with its cursor gets exactly what it missed, in order, and then `ready`", async () => {
  await endWelcomeBonuses(staff.token);
  const player = await registerPlayer();
  const first = await createPromotion(staff.token);
  const socket = await openSocket(player.token);
  await assign(staff.token, first.id, [player.id]);
  const seen = await socket.next("the first is pushed", (frame) => frame.content?.promotionId === first.id);
  socket.close();
  await socket.untilClosed();

  const missed: string[] = [];
  for (let i = 0; i < 5; i++) {
    const promotion = await createPromotion(staff.token);
    await assign(staff.token, promotion.id, [player.id]);
    missed.push(promotion.id);
  }
  await until("all are stored", async () => {
    const page = await api("GET /notifications/api/v1/notifications?unread=true", { token: player.token });
    return missed.every((id) =>
      page.body.data.some((item: { content: { promotionId: string } }) => item.content.promotionId === id),
    );
  });
  const resumed = await openSocket(player.token, { cursor: seen.cursor as string, viaSubprotocol: true });
  const ready = await resumed.untilReady();
  expect(ready).toMatchObject({ recovered: true });
  expect(resumed.notifications().map((frame) => frame.content.promotionId)).toEqual(missed);
  resumed.close();
});

test("a suspended player can neither log in, be given a promotion, nor claim; reinstated, they can", async () => {
  const player = await registerPlayer();
  const [given, later] = [await createPromotion(staff.token), await createPromotion(staff.token)];
  await assign(staff.token, given.id, [player.id]);
  const suspend = (status: string) =>
    api(`PATCH /users/api/v1/users/${player.id}/status`, { token: staff.token, json: { status, reason: "A test." } });
  expect((await suspend("suspended")).status).toBe(200);

  const login = await api("POST /users/api/v1/auth/login", { json: { email: player.email, password: PASSWORD } });
  expect(login).toMatchObject({ status: 403, body: { code: "account_suspended" } });
  // The balance refuses it, until the token that is still out is refused before.
  const { status: refusal, body } = await claim(player, given.id);
  expect(["403 player_not_active", "401 session_revoked"]).toContain(`${refusal} ${body.code}`);
  await until("Promotions has heard of the suspension", async () => {
    const { body } = await api(`POST /promotions/api/v1/promotions/${later.id}/assign`, {
      token: staff.token,
      json: { playerIds: [player.id] },
    });
    return (
      body.rejected[0]?.code === "player_suspended" || (body.assigned === 1 && Promise.reject(new Error("assigned")))
    );
  });

  expect((await suspend("active")).status).toBe(200);
  const token = await logIn(player.email, PASSWORD);
  expect(await claim({ ...player, token }, given.id)).toMatchObject({ status: 201, body: { balanceMinor: 2000 } });
});

test("sessions: rotation gives one successor, reuse of an older token ends the session", async () => {
  const email = freshEmail();
  await api("POST /users/api/v1/auth/register", { json: { email, password: PASSWORD } });
  const login = await api("POST /users/api/v1/auth/login", {
    json: { email, password: PASSWORD, tokenDelivery: "body" },
  });
  const first: string = login.body.refreshToken;
  const refresh = (refreshToken: string) => api("POST /users/api/v1/auth/refresh", { json: { refreshToken } });
  const [a, b] = await Promise.all([refresh(first), refresh(first)]);
  expect([a.status, b.status]).toEqual([200, 200]);
  expect(a.body.refreshToken).toBe(b.body.refreshToken);
  const third = await refresh(a.body.refreshToken);
  expect(third.status).toBe(200);
  expect(await refresh(first)).toMatchObject({ status: 401, body: { code: "refresh_token_reused" } });
  expect((await refresh(third.body.refreshToken)).status).toBe(401);
});

test("in a browser's cookie the refresh token is HttpOnly, SameSite=Strict and goes to the auth routes only", async () => {
  const player = await registerPlayer();
  const login = await api("POST /users/api/v1/auth/login", { json: { email: player.email, password: PASSWORD } });
  const cookie = login.headers.get("set-cookie") ?? "";
  expect(login.body).not.toHaveProperty("refreshToken");
  expect(cookie).toMatch(/^refreshToken=[^;]+;/);
  expect(cookie).toMatch(/HttpOnly/i);
  expect(cookie).toMatch(/SameSite=Strict/i);
  expect(cookie).toMatch(/Path=\/users\/api\/v1\/auth/i);
  const value = cookie.split(";")[0] as string;
  expect((await api("POST /users/api/v1/auth/refresh", { headers: { cookie: value } })).status).toBe(200);
});
