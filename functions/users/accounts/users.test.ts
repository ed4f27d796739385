import { afterAll, beforeAll, expect, test } from "vitest";
import type { User } from "../../../domain/users/accounts/user.ts";
import { addTransaction } from "../../../domain/users/ledger/add-transaction.ts";
import { newId } from "../../../lib/ids.ts";
import {
  createPlayer,
  createStaff,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
} from "../../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
let player: User;
let staff: User;
let playerToken: string;
let token: string;
beforeAll(async () => {
  ctx = await createUsersContext();
  client = await createUsersClient(await createUsersDeps(ctx));
  player = await createPlayer(ctx);
  staff = await createStaff(ctx);
  playerToken = await client.tokenOf(player);
  token = await client.tokenOf(staff);
});
afterAll(() => ctx.stop());

const json = (user: User) => ({ ...user, createdAt: user.createdAt.toISOString() });

test("a player sees their own profile and transactions", async () => {
  const { transactionId } = await addTransaction(ctx, {
    idempotencyKey: newId(),
    userId: player.id,
    type: "CREDIT",
    amountMinor: 2_000,
    currency: "EUR",
    description: "a bonus",
    reference: "promotion:1",
  });
  const profile = await client.send("GET /api/v1/users/me", { token: playerToken });
  expect(profile).toMatchObject({ status: 200, body: { ...json(player), balanceMinor: 2_000 } });
  const own = await client.send("GET /api/v1/transactions?limit=5", { token: playerToken });
  expect(own.body).toEqual({
    data: [
      {
        id: transactionId,
        type: "CREDIT",
        amountMinor: 2_000,
        balanceAfterMinor: 2_000,
        currency: "EUR",
        description: "a bonus",
        reference: "promotion:1",
        createdAt: expect.stringMatching(/Z$/),
      },
    ],
    nextCursor: null,
  });
  const asStaff = await client.send(`GET /api/v1/users/${player.id}/transactions`, { token });
  expect(asStaff.body).toEqual(own.body);
});

test("staff find a user and read them", async () => {
  const found = await client.send(`GET /api/v1/users?q=${player.email.slice(0, 20)}&role=player`, { token });
  expect(found.body.data.map(({ id }: User) => id)).toContain(player.id);
  const one = await client.send(`GET /api/v1/users/${player.id.toUpperCase()}`, { token });
  expect(one).toMatchObject({ status: 200, body: { id: player.id, email: player.email } });
});

test("staff change a player's status, and the same again is no error", async () => {
  const { id } = await createPlayer(ctx);
  for (let time = 0; time < 2; time++) {
    const answer = await client.send(`PATCH /api/v1/users/${id}/status`, {
      token,
      json: { status: "suspended", reason: "ticket 1" },
    });
    expect(answer).toMatchObject({ status: 200, body: { id, status: "suspended" } });
  }
});

test("staff change neither staff nor themselves", async () => {
  const change = (id: string) =>
    client.send(`PATCH /api/v1/users/${id}/status`, { token, json: { status: "suspended", reason: "r" } });
  expect(await change((await createStaff(ctx)).id)).toMatchObject({ status: 403, body: { code: "admin_required" } });
  expect(await change(staff.id)).toMatchObject({ status: 403, body: { code: "own_status" } });
});

const staffRoutes = [
  "GET /api/v1/users",
  "GET /api/v1/users/{id}",
  "GET /api/v1/users/{id}/transactions",
  "PATCH /api/v1/users/{id}/status",
];

test.each(staffRoutes)("%s is for staff only", async (route) => {
  const request = route.startsWith("PATCH") ? { json: { status: "suspended", reason: "r" } } : {};
  const target = route.replace("{id}", player.id);
  expect(await client.send(target, { ...request, token: playerToken })).toMatchObject({
    status: 403,
    body: { code: "role_not_allowed" },
  });
  expect(await client.send(target, request)).toMatchObject({ status: 401, body: { code: "token_missing" } });
});

test.each(staffRoutes.slice(1))("%s of an unknown user is 404", async (route) => {
  const request = route.startsWith("PATCH") ? { json: { status: "suspended", reason: "r" } } : {};
  expect(await client.send(route.replace("{id}", newId()), { ...request, token })).toMatchObject({
    status: 404,
    body: { code: "user_not_found" },
  });
});
