import { afterAll, beforeAll, expect, test } from "vitest";
import { notificationsOf } from "../domain/notifications/context.ts";
import { newId } from "../lib/ids.ts";
import { startTestEdge, type TestEdge } from "../tests/support/edge.ts";
import { createNotificationsContext, notify } from "../tests/support/notifications.ts";
import type { TestSocket } from "../tests/support/socket.ts";
import { until } from "../tests/support/until.ts";

let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
let edge: TestEdge;
beforeAll(async () => {
  ctx = await createNotificationsContext();
  edge = await startTestEdge(ctx);
});
afterAll(async () => {
  await edge.stop();
  await ctx.stop();
});

const readAtOf = async (id: string) => (await notificationsOf(ctx).findOne({ _id: id }))?.readAt;

test("a read frame marks the player's own notification, and not another's", async () => {
  const [player, stranger] = [newId(), newId()];
  const [id] = (await notify(ctx, player)) as [string];
  const thief = await edge.open(stranger);
  thief.send({ type: "read", id });
  await thief.next("it is refused", ({ code }) => code === "notification_not_found");
  expect(await readAtOf(id)).toBeNull();
  const owner = await edge.open(player);
  owner.send({ type: "read", id: id.toUpperCase() });
  await until("it is read", () => readAtOf(id));
  expect(owner.frames.filter(({ type }) => type === "error")).toEqual([]);
  thief.close();
  owner.close();
});

const badFrames: [what: string, data: string | Buffer][] = [
  ["not JSON", "nonsense"],
  ["empty", ""],
  ["null", "null"],
  ["an array", "[]"],
  ["a number", "1"],
  ["without a type", '{"id":"x"}'],
  ["an unknown type", '{"type":"subscribe"}'],
  ["a server's type", '{"type":"ready"}'],
  ["read without id", '{"type":"read"}'],
  ["read with a bad id", '{"type":"read","id":"1"}'],
  ["read with an operator", '{"type":"read","id":{"$gt":""}}'],
  ["read with an unknown field", `{"type":"read","id":"${newId()}","all":true}`],
  ["read with two ids", `{"type":"read","id":"${newId()}","id":"${newId()}"}`],
  ["read with a lone surrogate", '{"type":"read","id":"\\ud800"}'],
  ["auth without a token", '{"type":"auth"}'],
  ["auth with a number", '{"type":"auth","accessToken":1}'],
  ["deep nesting", "[".repeat(10_000)],
  ["binary", Buffer.from('{"type":"read"}')],
];
test.each(badFrames)(
  "a bad frame is answered with invalid_frame and the connection goes on: %s",
  async (_what, data) => {
    const player = newId();
    const socket = await edge.open(player);
    await socket.untilReady();
    socket.sendRaw(data);
    await socket.next("it is refused", ({ code }) => code === "invalid_frame");
    socket.send({ type: "read", id: newId() });
    await socket.next("the next one is carried out", ({ code }) => code === "notification_not_found");
    expect(socket.closeCode).toBeUndefined();
    socket.close();
  },
);

test("a client that sends bad frames again and again is closed with 1008, also if some between are good", async () => {
  const socket = await edge.open(newId());
  await socket.untilReady();
  for (let count = 0; count < 21; count++) {
    socket.sendRaw("nonsense");
    socket.send({ type: "read", id: newId() });
  }
  expect([await socket.untilClosed(), socket.closeReason]).toEqual([1008, "too_many_bad_frames"]);
  expect(socket.frames.filter(({ code }) => code === "invalid_frame")).toHaveLength(20);
});

test("a player who floods the edge is closed with 1008, however many sockets they do it on, and no one else is", async () => {
  const player = newId();
  const stranger = await edge.open(newId());
  const [one, two] = [await edge.open(player), await edge.open(player)];
  await Promise.all([stranger, one, two].map((socket) => socket.untilReady()));
  const flood = (socket: TestSocket, frames: number) => {
    for (let count = 0; count < frames; count++) socket.send({ type: "read", id: newId() });
  };
  flood(one, 150);
  await until("its frames are answered", () => one.frames.filter(({ type }) => type === "error").length === 150);
  // More than there can ever be at once, however long the first ones took.
  flood(two, 400);
  expect([await two.untilClosed(), two.closeReason]).toEqual([1008, "too_many_frames"]);
  expect(one.closeCode).toBeUndefined();
  stranger.send({ type: "read", id: newId() });
  await stranger.next("it is answered", ({ code }) => code === "notification_not_found");
  for (const socket of [one, stranger]) socket.close();
});

test("an oversized frame ends the connection", async () => {
  const socket = await edge.open(newId());
  socket.sendRaw("x".repeat(20_000));
  expect(await socket.untilClosed()).toBe(1006);
});

test("a flood of frames is bounded, told so, and each frame is answered", async () => {
  const socket = await edge.open(newId());
  await socket.untilReady();
  for (let count = 0; count < 150; count++) socket.send({ type: "read", id: newId() });
  const errors = await until("all are answered", () => {
    const all = socket.frames.filter(({ type }) => type === "error");
    return all.length === 150 && all;
  });
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["too_many_frames", "notification_not_found"]));
  expect(socket.closeCode).toBeUndefined();
  socket.close();
});
