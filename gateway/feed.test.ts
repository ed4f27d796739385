import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { wakeChannel } from "../domain/notifications/channels.ts";
import { markRead } from "../domain/notifications/mark-read.ts";
import { cursorsOf } from "../lib/cursor.ts";
import { newId } from "../lib/ids.ts";
import { connectRedis, type Redis } from "../lib/redis.ts";
import { startTestEdge, type TestEdge } from "../tests/support/edge.ts";
import { createNotificationsContext, notify } from "../tests/support/notifications.ts";
import { startOwnRedis } from "../tests/support/redis.ts";
import { servers } from "../tests/support/servers.ts";
import type { TestSocket } from "../tests/support/socket.ts";
import { until } from "../tests/support/until.ts";

let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
let edge: TestEdge;
let redis: Redis;
beforeAll(async () => {
  ctx = await createNotificationsContext();
  edge = await startTestEdge(ctx);
  redis = connectRedis(servers.redisUrl, pino({ level: "silent" }));
});
afterAll(async () => {
  await edge.stop();
  redis.disconnect();
  await ctx.stop();
});

/** Stores and wakes the edges, as the notifier does. */
async function push(playerId: string, count = 1, description = "Made by a test."): Promise<string[]> {
  const ids = await notify(ctx, playerId, count, { description });
  await redis.publish(wakeChannel(playerId), "");
  return ids;
}

const idsOf = (socket: TestSocket) => socket.notifications().map(({ id }) => id);

test("without a cursor the unread ones come first, in order, then ready, then what is live", async () => {
  const player = newId();
  const ids = await notify(ctx, player, 230);
  await markRead(ctx, { playerId: player, id: ids[3] as string });
  const socket = await edge.open(player);
  const ready = await socket.untilReady();
  expect(ready.recovered).toBe(false);
  expect(socket.frames.slice(0, -1)).toEqual(socket.notifications());
  const unread = ids.filter((_id, index) => index !== 3);
  expect(idsOf(socket)).toEqual(unread);
  expect(socket.notifications().at(-1)?.cursor).toBe(ready.cursor);
  const live = await push(player, 2);
  await until("the live ones are there", () => socket.notifications().length === unread.length + 2);
  expect(idsOf(socket)).toEqual([...unread, ...live]);
  expect(socket.frames.at(-1)).toEqual({
    type: "notification",
    id: live[1],
    cursor: expect.any(String),
    event: "PROMOTION",
    content: expect.objectContaining({ title: "A bonus", amountMinor: 2000 }),
    createdAt: expect.stringMatching(/Z$/),
  });
  socket.close();
});

test("another player's notifications never come", async () => {
  const [player, other] = [newId(), newId()];
  const [one, two] = [await edge.open(player), await edge.open(other)];
  await Promise.all([one.untilReady(), two.untilReady()]);
  const [id] = await push(player);
  await one.next("the player has it", (frame) => frame.id === id);
  const [otherId] = await push(other);
  await two.next("the other has theirs", (frame) => frame.id === otherId);
  expect([idsOf(one), idsOf(two)]).toEqual([[id], [otherId]]);
  one.close();
  two.close();
});

test("a cursor resumes with exactly what is missing, in order, while more is being stored", async () => {
  const player = newId();
  const stored = await push(player, 350);
  const first = await edge.open(player);
  await first.untilReady();
  const cursor = first.notifications()[119]?.cursor as string;
  first.close();
  const [resumed] = await Promise.all([
    edge.open(player, { cursor }),
    (async () => {
      for (let batch = 0; batch < 25; batch++) stored.push(...(await push(player, 4)));
    })(),
  ]);
  await until("all have come", () => resumed.notifications().length >= 330);
  expect(idsOf(resumed)).toEqual(stored.slice(120));
  expect(await resumed.untilReady()).toMatchObject({ recovered: true });
  // Everything before `ready` was stored before it: the replay was not overtaken.
  const readyIndex = resumed.frames.findIndex(({ type }) => type === "ready");
  expect(resumed.frames[readyIndex]?.cursor).toBe(resumed.frames[readyIndex - 1]?.cursor);
  resumed.close();
});

test("the cursor of ready resumes too, at another edge, and for a player who had nothing yet", async () => {
  const player = newId();
  const first = await edge.open(player);
  const { cursor } = (await first.untilReady()) as { cursor: string };
  first.close();
  const ids = await notify(ctx, player, 3);
  await markRead(ctx, { playerId: player, id: ids[0] as string });
  const other = await startTestEdge(ctx);
  const second = await other.open(player, { cursor });
  expect(await second.untilReady()).toMatchObject({ recovered: true });
  expect(idsOf(second)).toEqual(ids);
  second.close();
  await other.stop();
});

test("a cursor that can't be resumed from says so and counts as none", async () => {
  const [player, stranger] = [newId(), newId()];
  const ids = await notify(ctx, player, 2);
  await notify(ctx, stranger, 1);
  const foreign = await edge.open(stranger);
  const { cursor } = (await foreign.untilReady()) as { cursor: string };
  foreign.close();
  const expired = Buffer.from(JSON.stringify([0, newId()])).toString("base64url");
  for (const lost of [cursor, expired]) {
    const socket = await edge.open(player, { cursor: lost });
    expect(await socket.untilReady()).toMatchObject({ recovered: false });
    expect(idsOf(socket)).toEqual(ids);
    socket.close();
  }
});

test("a malformed cursor is told as invalid_cursor and counts as none", async () => {
  const player = newId();
  const ids = await notify(ctx, player);
  const first = await edge.open(player);
  const { cursor: own } = (await first.untilReady()) as { cursor: string };
  first.close();
  const huge = Buffer.from("[1e999]").toString("base64url");
  const ofAnotherList = cursorsOf("promotions").encode(newId());
  for (const cursor of ["", "nonsense", huge, ofAnotherList, `${own}A`, `${own}\n`, `${own}=`]) {
    const socket = await edge.open(player, { cursor });
    expect(await socket.untilReady()).toMatchObject({ recovered: false });
    expect(socket.frames[0]).toEqual({ type: "error", code: "invalid_cursor" });
    expect(idsOf(socket)).toEqual(ids);
    socket.close();
  }
});

test("wake-ups in a row bring each notification once, to each of the player's sockets", async () => {
  const player = newId();
  const sockets = await Promise.all([1, 2, 3].map(() => edge.open(player)));
  await Promise.all(sockets.map((socket) => socket.untilReady()));
  const ids: string[] = [];
  for (let count = 0; count < 20; count++) {
    ids.push(...(await push(player)));
    await redis.publish(wakeChannel(player), "");
  }
  for (const socket of sockets) {
    await until("all have come", () => socket.notifications().length >= 20);
    expect(idsOf(socket)).toEqual(ids);
    socket.close();
  }
});

test("a slow reader is closed with 4408 and loses nothing: it resumes with its cursor", async () => {
  const patient = await startTestEdge(ctx, { slowReaderMs: 300, bufferedBytesMax: 64 * 1024 });
  const player = newId();
  // Together more than the system buffers, and each less than the edge does, so that there is room for the close frame.
  const stored = await push(player, 400, "x".repeat(40_000));
  const slow = new WebSocket(`${patient.url}/notifications/ws`, {
    headers: { authorization: `Bearer ${await patient.tokenOf(player)}` },
  });
  const got: { id: string; cursor: string }[] = [];
  slow.on("message", (data) => got.push(JSON.parse(data.toString())));
  slow.once("open", () => slow.pause());
  const open = () => patient.metrics.openSockets.get().then(({ values }) => values[0]?.value);
  await until("it is connected", async () => (await open()) === 1);
  await until("it is closed", async () => (await open()) === 0);
  const closed = new Promise((resolve) => slow.once("close", resolve));
  slow.resume();
  expect(await closed).toBe(4408);
  expect(got.length).toBeLessThan(stored.length);
  expect(got.length).toBeGreaterThan(0);
  // Elsewhere: in a busy test process this reader, too, may not read for 300 ms.
  const resumed = await edge.open(player, { cursor: got.at(-1)?.cursor as string });
  await resumed.untilReady();
  expect([...got.map(({ id }) => id), ...idsOf(resumed)]).toEqual(stored);
  resumed.close();
  await patient.stop();
});

test("a reader that pauses and goes on in time gets everything", async () => {
  const small = await startTestEdge(ctx, { bufferedBytesMax: 64 * 1024 });
  const player = newId();
  const stored = await push(player, 400, "x".repeat(40_000)); // together more than the system buffers
  const socket = new WebSocket(`${small.url}/notifications/ws`, {
    headers: { authorization: `Bearer ${await small.tokenOf(player)}` },
  });
  const got: { type: string; id: string }[] = [];
  socket.on("message", (data) => {
    got.push(JSON.parse(data.toString()));
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await until("it is ready", () => got.at(-1)?.type === "ready");
  expect(got.slice(0, -1).map(({ id }) => id)).toEqual(stored);
  socket.close();
  await small.stop();
});

test("an edge that lost Redis finds what was stored meanwhile when it is back, once", async () => {
  const own = await startOwnRedis();
  const cut = await startTestEdge(ctx, { redisUrl: own.url });
  const player = newId();
  const socket = await cut.open(player);
  await socket.untilReady();
  await own.kill();
  const ids = await notify(ctx, player, 3);
  const late = await cut.open(player);
  await late.untilReady();
  expect(idsOf(late)).toEqual(ids);
  expect(idsOf(socket)).toEqual([]);
  await own.start();
  await until("it has caught up", () => socket.notifications().length >= 3);
  expect(idsOf(socket)).toEqual(ids);
  const publisher = connectRedis(own.url, pino({ level: "silent" }));
  const [live] = await notify(ctx, player);
  await until("wake-ups reach both again", async () => {
    await publisher.publish(wakeChannel(player), "");
    return [socket, late].every((one) => idsOf(one).includes(live));
  });
  publisher.disconnect();
  await cut.stop();
  await own.kill();
});

test("what no wake-up tells of is found by the slow resync", async () => {
  const eager = await startTestEdge(ctx, { resyncIntervalMs: 200 });
  const player = newId();
  const socket = await eager.open(player);
  await socket.untilReady();
  const [id] = await notify(ctx, player);
  await socket.next("it comes without a wake-up", (frame) => frame.id === id);
  await eager.stop();
});
