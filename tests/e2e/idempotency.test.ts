import { beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import {
  type Account,
  api,
  assign,
  createPromotion,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

const create = (key: string, json: unknown, by = staff) =>
  api("POST /promotions/api/v1/promotions", { token: by.token, json, headers: { "idempotency-key": key } });
const replayed = ({ headers }: { headers: Headers }) => headers.get("idempotency-replayed");

test("a promotion that is created again after a lost answer is the same one", async () => {
  const [key, input] = [newId(), promotionInput()];
  const answers = await Promise.all(Array.from({ length: 20 }, () => create(key, input)));
  for (const { status, body } of answers)
    expect([`${status} ${status === 201 ? "" : body.code}`.trim()]).toEqual([
      expect.stringMatching(/^(201|409 idempotency_key_in_use)$/),
    ]);
  const again = await create(key, input);
  expect([again.status, replayed(again)]).toEqual([201, "true"]);
  const created = answers.filter(({ status }) => status === 201);
  expect(new Set([...created, again].map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(created.filter((answer) => replayed(answer) === null)).toHaveLength(1);
  const list = await api("GET /promotions/api/v1/promotions?limit=100", { token: staff.token });
  expect(list.body.data.filter(({ title }: { title: string }) => title === input.title)).toHaveLength(1);
});

test("a key is for one request of one person", async () => {
  const [key, input] = [newId(), promotionInput()];
  const first = await create(key, input);
  const other = await create(key, { ...input, amountMinor: 1 });
  expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  const colleague = await create(key, input, await registerStaff());
  expect([colleague.status, replayed(colleague), colleague.body.id === first.body.id]).toEqual([201, null, false]);
});

test("what was refused may be mended under the same key", async () => {
  const key = newId();
  expect((await create(key, promotionInput({ currency: "USD" }))).status).toBe(400);
  expect((await create(key, promotionInput())).status).toBe(201);
});

test("an assignment under a key is answered as it was, not as one that had been made before", async () => {
  const player = await registerPlayer();
  const { id } = await createPromotion(staff.token);
  const warmUp = await createPromotion(staff.token);
  await assign(staff.token, warmUp.id, [player.id]); // until Promotions knows the player
  const send = (query = "") =>
    api(`POST /promotions/api/v1/promotions/${id}/assign${query}`, {
      token: staff.token,
      json: { playerIds: [player.id] },
      headers: { "idempotency-key": "assign-once" },
    });
  const [first, second] = [await send(), await send()];
  expect(first).toMatchObject({ status: 200, body: { assigned: 1, alreadyAssigned: 0 } });
  expect([second.body, replayed(second)]).toEqual([first.body, "true"]);
  expect((await send("?dryRun=true")).status).toBe(422);
});

test.each(["", " ", "a b", "é", "x".repeat(256)])("a key that is none: %j", async (key) => {
  expect(await create(key, promotionInput())).toMatchObject({ status: 400, body: { code: "validation_failed" } });
});

test("a dry run says what an assignment would do, and does nothing", async () => {
  const player = await registerPlayer();
  const [promotion, other] = [await createPromotion(staff.token), await createPromotion(staff.token)];
  await assign(staff.token, other.id, [player.id]);
  const dry = await api(`POST /promotions/api/v1/promotions/${promotion.id}/assign?dryRun=true`, {
    token: staff.token,
    json: { playerIds: [player.id, newId()] },
  });
  expect(dry).toMatchObject({ status: 200, body: { assigned: 1, rejected: [{ code: "player_not_found" }] } });
  const { body } = await api(`GET /promotions/api/v1/promotions/players/${player.id}`, { token: player.token });
  expect(body.data.map(({ promotion: { id } }: { promotion: { id: string } }) => id)).not.toContain(promotion.id);
});
