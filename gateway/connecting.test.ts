import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { REVOCATIONS_STREAM } from "../lib/auth/revocations.ts";
import { newId } from "../lib/ids.ts";
import { connectRedis, type Redis } from "../lib/redis.ts";
import { createLogger } from "../lib/telemetry/log.ts";
import { startTestEdge, type TestEdge } from "../tests/support/edge.ts";
import { createNotificationsContext, createTokens } from "../tests/support/notifications.ts";
import { servers } from "../tests/support/servers.ts";
import { openSocket } from "../tests/support/socket.ts";
import { until } from "../tests/support/until.ts";

let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
let edge: TestEdge;
let redis: Redis;
beforeAll(async () => {
  ctx = await createNotificationsContext();
  edge = await startTestEdge(ctx, { connectionsPerPlayerMax: 3 });
  redis = connectRedis(servers.redisUrl, createLogger({ name: "test", instance: "test", level: "silent" }));
});
afterAll(async () => {
  await edge.stop();
  redis.disconnect();
  await ctx.stop();
});

const badTokens: [what: string, token: () => Promise<string | undefined> | string | undefined][] = [
  ["none", () => undefined],
  ["a malformed one", () => "nonsense"],
  ["an expired one", () => edge.tokenOf(newId(), { expiresInSeconds: -60 })],
  ["one for another audience", () => edge.tokenOf(newId(), { audience: "elsewhere" })],
  ["one signed with another key", async () => (await createTokens()).tokenOf(newId())],
  ["an unsigned one", async () => unsigned(await edge.tokenOf(newId()))],
];
const unsigned = (token: string) =>
  `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${token.split(".")[1]}.`;

test.each(badTokens)(
  "without a valid token the socket closes with 4401 and tells nothing: %s",
  async (_what, token) => {
    const value = await token();
    for (const viaSubprotocol of value === undefined ? [false] : [false, true]) {
      const socket = await openSocket(value, { url: edge.url, viaSubprotocol });
      expect(await socket.untilClosed()).toBe(4401);
      expect(socket.frames).toEqual([]);
    }
  },
);

test("a browser authenticates by subprotocol, and only casino.v1 comes back", async () => {
  const token = await edge.tokenOf(newId());
  const socket = new WebSocket(`${edge.url}/notifications/ws`, ["casino.v1", `bearer.${token}`]);
  const first = await new Promise<string>((resolve) => socket.once("message", (data) => resolve(data.toString())));
  expect(JSON.parse(first)).toMatchObject({ type: "ready" });
  expect(socket.protocol).toBe("casino.v1");
  socket.close();
});

test("hundreds of sockets opened at once are all served", async () => {
  const open = async () => {
    const socket = await edge.open(newId());
    await socket.untilReady();
    socket.close();
    return socket.untilClosed();
  };
  for (let round = 0; round < 3; round++) {
    const codes = await Promise.all(Array.from({ length: 150 }, open));
    expect(new Set(codes)).toEqual(new Set([1005]));
  }
});

test("what a client sends before its token is checked is carried out afterwards", async () => {
  const connect = async () =>
    new WebSocket(`${edge.url}/notifications/ws`, {
      headers: { authorization: `Bearer ${await edge.tokenOf(newId())}` },
    });
  const eager = await connect();
  eager.once("open", () => eager.send("nonsense"));
  const answer = await new Promise<string>((resolve) => eager.once("message", (data) => resolve(data.toString())));
  expect(JSON.parse(answer)).toEqual({ type: "error", code: "invalid_frame" });
  eager.close();
});

test("a token in the address is no token", async () => {
  const token = await edge.tokenOf(newId());
  const socket = new WebSocket(`${edge.url}/notifications/ws?token=${token}&access_token=${token}`);
  expect(await new Promise((resolve) => socket.once("close", resolve))).toBe(4401);
});

test("plain HTTP is answered with a problem document", async () => {
  const here = await fetch(`${edge.url}/notifications/ws`);
  expect([here.status, await here.json()]).toMatchObject([426, { code: "upgrade_required" }]);
  const elsewhere = await fetch(`${edge.url}/elsewhere`, { method: "POST", body: "{}" });
  expect([elsewhere.status, await elsewhere.json()]).toMatchObject([404, { code: "route_not_found" }]);
});

test("a player's connections are bounded with 4429, and one that ends makes room", async () => {
  const player = newId();
  const sockets = await Promise.all([1, 2, 3].map(() => edge.open(player)));
  await Promise.all(sockets.map((socket) => socket.untilReady()));
  expect(await (await edge.open(player)).untilClosed()).toBe(4429);
  const other = await edge.open(newId());
  await other.untilReady();
  sockets[0]?.close();
  await sockets[0]?.untilClosed();
  const again = await until("there is room", async () => {
    const socket = await edge.open(player);
    await until("it is ready or refused", () => socket.frames.length > 0 || socket.closeCode);
    return socket.closeCode === undefined ? socket : undefined;
  });
  for (const socket of [...sockets, other, again]) socket.close();
});

test("a socket closes with 4401 when its token runs out", async () => {
  const socket = await openSocket(await edge.tokenOf(newId(), { expiresInSeconds: 2 }), { url: edge.url });
  await socket.untilReady();
  expect(await socket.untilClosed()).toBe(4401);
});

test("a fresh token keeps the socket open beyond the old one", async () => {
  const player = newId();
  const open = async () => openSocket(await edge.tokenOf(player, { expiresInSeconds: 2 }), { url: edge.url });
  const [refreshed, left] = [await open(), await open()];
  refreshed.send({ type: "auth", accessToken: await edge.tokenOf(player) });
  expect(await left.untilClosed()).toBe(4401);
  refreshed.send({ type: "read", id: newId() });
  await refreshed.next("it still answers", ({ code }) => code === "notification_not_found");
  refreshed.close();
});

test.each([
  ["another player's", () => edge.tokenOf(newId())],
  ["an expired", (player: string) => edge.tokenOf(player, { expiresInSeconds: -60 })],
  ["a malformed", () => "nonsense"],
])("%s token in an auth frame ends the connection with 4401", async (_what, token) => {
  const player = newId();
  const socket = await edge.open(player);
  socket.send({ type: "auth", accessToken: await token(player) });
  expect(await socket.untilClosed()).toBe(4401);
});

const revoke = (userId: string, sessionId = "") =>
  redis.xadd(REVOCATIONS_STREAM, "*", "userId", userId, "sessionId", sessionId);

test("a revoked session's sockets close with 4401 and don't open again with the same token; the player's others stay", async () => {
  const [player, sessionId] = [newId(), newId()];
  const token = await edge.tokenOf(player, { sessionId });
  const revoked = await openSocket(token, { url: edge.url });
  const other = await edge.open(player);
  const stranger = await edge.open(newId());
  await Promise.all([revoked, other, stranger].map((socket) => socket.untilReady()));
  await redis.xadd(REVOCATIONS_STREAM, "*", "non", "sense");
  const startedAt = performance.now();
  await revoke(player, sessionId);
  expect(await revoked.untilClosed()).toBe(4401);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  const again = await openSocket(token, { url: edge.url });
  expect([await again.untilClosed(), again.closeReason]).toEqual([4401, "session_revoked"]);
  expect(other.closeCode).toBeUndefined();
  other.send({ type: "auth", accessToken: token });
  expect([await other.untilClosed(), other.closeReason]).toEqual([4401, "session_revoked"]);
  expect(stranger.closeCode).toBeUndefined();
  stranger.close();
});

test("when all sessions of a player have ended, so have the sockets of tokens from before", async () => {
  const player = newId();
  const before = await openSocket(await edge.tokenOf(player, { signedSecondsAgo: 60 }), { url: edge.url });
  const since = await edge.open(player);
  await Promise.all([before, since].map((socket) => socket.untilReady()));
  await revoke(player);
  expect(await before.untilClosed()).toBe(4401);
  expect(since.closeCode).toBeUndefined();
  since.close();
});

test("a restarting edge ends every connection with 1012 in time, and takes no more", async () => {
  const restarting = await startTestEdge(ctx, { connectionsPerPlayerMax: 200 });
  const player = newId();
  const sockets = await Promise.all(Array.from({ length: 120 }, () => restarting.open(player)));
  await Promise.all(sockets.map((socket) => socket.untilReady()));
  const startedAt = performance.now();
  await restarting.stop();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  for (const socket of sockets) expect(await socket.untilClosed()).toBe(1012);
  await expect(restarting.open(player)).rejects.toThrow();
});
