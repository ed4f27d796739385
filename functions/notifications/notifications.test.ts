import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { storeNotifications } from "../../domain/notifications/store-notifications.ts";
import { cursorsOf } from "../../lib/cursor.ts";
import { newId } from "../../lib/ids.ts";
import { connectMongo } from "../../lib/mongo.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import {
  accountNews,
  createNotificationsContext,
  createTokens,
  notify,
  received,
} from "../../tests/support/notifications.ts";
import { createApp } from "./app.ts";

const log = pino({ level: "silent" });
let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
let tokens: Awaited<ReturnType<typeof createTokens>>;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  ctx = await createNotificationsContext();
  tokens = await createTokens();
  app = createApp({ log, metrics: createMetrics(), verifyToken: tokens.verifyToken, ctx });
});
afterAll(() => ctx.stop());

/** One request of a player, without a network; `route` such as "GET /api/v1/notifications". */
async function send(route: string, playerId?: string, body?: string, target = app) {
  const [method = "GET", path = "/"] = route.split(" ");
  const response = await target.request(path, {
    method,
    headers: playerId === undefined ? {} : { authorization: `Bearer ${await tokens.tokenOf(playerId)}` },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

const LIST = "/api/v1/notifications";
const idsIn = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);

test("a player sees their own notifications, newest first, page by page without gap or repetition", async () => {
  const [player, other] = [newId(), newId()];
  const ids = await notify(ctx, player, 5);
  await notify(ctx, other, 2);
  const seen: string[] = [];
  let cursor: string | null = "";
  do {
    const { status, body } = await send(`GET ${LIST}?limit=2${cursor && `&cursor=${cursor}`}`, player);
    expect(status).toBe(200);
    expect(body.unreadCount).toBe(5);
    seen.push(...idsIn(body));
    cursor = body.nextCursor;
    // What comes while somebody pages is newer than all pages.
    if (seen.length === 2) await notify(ctx, other, 1);
  } while (cursor !== null);
  expect(seen).toEqual(ids.toReversed());
});

test("the cursor of another player's list is none of this one", async () => {
  const [player, other] = [newId(), newId()];
  await notify(ctx, player, 2);
  await notify(ctx, other, 2);
  const { nextCursor } = (await send(`GET ${LIST}?limit=1`, other)).body;
  const answer = await send(`GET ${LIST}?cursor=${nextCursor}`, player);
  expect(answer).toMatchObject({ status: 400, body: { code: "invalid_cursor" } });
  expect((await send(`GET ${LIST}?cursor=${nextCursor}`, other)).body.data).toHaveLength(1);
});

test("a notification is shown as the contract says", async () => {
  const player = newId();
  const [id] = await notify(ctx, player, 1, { title: "Welcome", amountMinor: 2_500 });
  const { body } = await send(`GET ${LIST}`, player);
  expect(body).toEqual({
    data: [
      {
        id,
        type: "PROMOTION",
        content: expect.objectContaining({ title: "Welcome", amountMinor: 2_500, currency: "EUR" }),
        createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
        readAt: null,
      },
    ],
    nextCursor: null,
    unreadCount: 1,
  });
});

test("so is one about the account", async () => {
  const player = newId();
  await storeNotifications(ctx, received([accountNews(player)]));
  const { body } = await send(`GET ${LIST}`, player);
  expect(body.data).toMatchObject([{ type: "ACCOUNT", content: { kind: "new_device", userAgent: "Phone/1.0" } }]);
});

test("a player without notifications gets an empty list", async () => {
  const { status, body } = await send(`GET ${LIST}`, newId());
  expect({ status, body }).toEqual({ status: 200, body: { data: [], nextCursor: null, unreadCount: 0 } });
});

test("a read one is not unread any more, and keeps the time of its first reading", async () => {
  const player = newId();
  const [first, second] = await notify(ctx, player, 2);
  expect((await send(`POST ${LIST}/${first}/read`, player)).status).toBe(204);
  const readAt = async () => (await send(`GET ${LIST}`, player)).body.data[1].readAt;
  const firstReadAt = await readAt();
  expect(firstReadAt).toMatch(/Z$/);
  expect((await send(`POST ${LIST}/${first?.toUpperCase()}/read`, player)).status).toBe(204);
  expect(await readAt()).toBe(firstReadAt);
  const unread = await send(`GET ${LIST}?unread=true`, player);
  expect(idsIn(unread.body)).toEqual([second]);
  expect(unread.body.unreadCount).toBe(1);
  expect(idsIn((await send(`GET ${LIST}?unread=false`, player)).body)).toHaveLength(2);
});

test("another player's notification can't be marked as read, and looks as if there were none", async () => {
  const player = newId();
  const [id] = await notify(ctx, player);
  for (const target of [id, newId()]) {
    const answer = await send(`POST ${LIST}/${target}/read`, newId());
    expect(answer).toMatchObject({ status: 404, body: { code: "notification_not_found" } });
  }
  expect((await send(`GET ${LIST}`, player)).body.unreadCount).toBe(1);
});

test("read-all marks the player's own and nobody else's", async () => {
  const [player, other] = [newId(), newId()];
  await notify(ctx, player, 3);
  await notify(ctx, other, 1);
  expect((await send(`POST ${LIST}/read-all`, player)).status).toBe(204);
  expect((await send(`GET ${LIST}`, player)).body.unreadCount).toBe(0);
  expect((await send(`GET ${LIST}`, other)).body.unreadCount).toBe(1);
  expect((await send(`POST ${LIST}/read-all`, newId())).status).toBe(204);
});

const badRequests: [status: number, code: string, route: string, body?: string][] = [
  [400, "validation_failed", `GET ${LIST}?limit=0`],
  [400, "validation_failed", `GET ${LIST}?limit=101`],
  [400, "validation_failed", `GET ${LIST}?limit=many`],
  [400, "validation_failed", `GET ${LIST}?unread=yes`],
  [400, "validation_failed", `GET ${LIST}?unknown=1`],
  [400, "validation_failed", `GET ${LIST}?limit=1&limit=2`],
  [400, "invalid_cursor", `GET ${LIST}?cursor=!!`],
  [400, "invalid_cursor", `GET ${LIST}?cursor=${cursorsOf("promotions").encode(newId())}`],
  [400, "invalid_cursor", `GET ${LIST}?cursor=${Buffer.from('["a","b"]').toString("base64url")}`],
  [400, "invalid_cursor", `GET ${LIST}?cursor=${Buffer.from('[1,{"$gt":""}]').toString("base64url")}`],
  [400, "validation_failed", `POST ${LIST}/not-a-uuid/read`],
  [404, "route_not_found", `GET ${LIST}/${newId()}`],
  [415, "unsupported_media_type", `POST ${LIST}/read-all`, "not json"],
];
test.each(badRequests)("bad input is refused: %i %s for %s", async (status, code, route, body) => {
  expect(await send(route, newId(), body)).toMatchObject({ status, body: { code } });
});

test.each([`GET ${LIST}`, `POST ${LIST}/${newId()}/read`, `POST ${LIST}/read-all`])(
  "without a valid token %s answers 401",
  async (route) => {
    expect(await send(route)).toMatchObject({ status: 401, body: { code: "token_missing" } });
  },
);

test("without the document database every route answers 503 with Retry-After", async () => {
  const away = connectMongo("mongodb://127.0.0.1:1/none", "test");
  const target = createApp({ log, metrics: createMetrics(), verifyToken: tokens.verifyToken, ctx: away });
  const routes = [`GET ${LIST}`, `POST ${LIST}/${newId()}/read`, `POST ${LIST}/read-all`];
  for (const answer of await Promise.all(routes.map((route) => send(route, newId(), undefined, target)))) {
    expect(answer).toMatchObject({ status: 503, body: { code: "database_unavailable" } });
    expect(answer.headers.get("retry-after")).toBe("2");
  }
  await away.close();
});

test("the document names the routes and tells of the WebSocket", async () => {
  const { body } = await send("GET /openapi.json");
  expect(Object.keys(body.paths).sort()).toEqual([LIST, `${LIST}/read-all`, `${LIST}/{id}/read`]);
  expect(body.info.description).toContain("/notifications/ws");
  expect(body.servers).toEqual([{ url: "/notifications" }]);
});
