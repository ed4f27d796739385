import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { createNotificationsContext, notify, promoted, received } from "../../tests/support/notifications.ts";
import { notificationsOf } from "./context.ts";
import { ensureIndexes } from "./ensure-indexes.ts";
import { findAfter } from "./find-after.ts";
import { markRead } from "./mark-read.ts";
import { START } from "./position.ts";
import { storeNotifications } from "./store-notifications.ts";

let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
beforeAll(async () => {
  ctx = await createNotificationsContext();
});
afterAll(() => ctx.stop());

const idsOf = async (playerId: string) =>
  (await findAfter(ctx, { playerId, after: START, limit: 10_000 })).map(({ _id }) => _id);

test("a notification holds what the event says, under the event's id", async () => {
  const event = promoted(newId());
  const [message] = received([event]);
  await storeNotifications(ctx, [message as NonNullable<typeof message>]);
  expect(await notificationsOf(ctx).findOne({ _id: event.id })).toEqual({
    _id: event.id,
    playerId: event.subject,
    seq: Number(message?.offset),
    type: "PROMOTION",
    content: event.data,
    createdAt: new Date(event.time),
    readAt: null,
  });
});

test("a batch that is delivered again is stored once, and what was read stays read", async () => {
  const [one, other] = [newId(), newId()];
  const batch = received(Array.from({ length: 250 }, (_, index) => promoted(index % 2 ? one : other)));
  const firstId = batch[0]?.event.id as string;
  expect(await storeNotifications(ctx, batch)).toEqual([other, one]);
  await markRead(ctx, { playerId: other, id: firstId });
  expect(await storeNotifications(ctx, batch)).toEqual([other, one]);
  expect(await idsOf(one)).toHaveLength(125);
  expect(await idsOf(other)).toHaveLength(125);
  expect((await notificationsOf(ctx).findOne({ _id: firstId }))?.readAt).toBeInstanceOf(Date);
});

test("an event that comes again under a new offset keeps its place", async () => {
  const player = newId();
  const [first, second] = [promoted(player), promoted(player)];
  await storeNotifications(ctx, received([first, second, first]));
  expect(await idsOf(player)).toEqual([first.id, second.id]);
});

test("a batch of which a part was stored is completed, in order, while a reader follows it without a gap", async () => {
  const player = newId();
  const batch = received(Array.from({ length: 320 }, () => promoted(player)));
  await storeNotifications(ctx, batch.slice(0, 130));
  const seen: string[] = [];
  let after = START;
  const follow = async () => {
    for (const { _id, seq } of await findAfter(ctx, { playerId: player, after, limit: 1_000 })) {
      seen.push(_id);
      after = [seq, _id];
    }
  };
  let isStored = false;
  const storing = storeNotifications(ctx, batch).then(() => {
    isStored = true;
  });
  while (!isStored) await follow();
  await storing;
  await follow();
  expect(seen).toEqual(batch.map(({ event }) => event.id));
});

test("two consumers that store the same batch at once, as in a rebalance, store it once and in order", async () => {
  const player = newId();
  const batch = received(Array.from({ length: 60 }, () => promoted(player)));
  await Promise.all([storeNotifications(ctx, batch), storeNotifications(ctx, batch)]);
  expect(await idsOf(player)).toEqual(batch.map(({ event }) => event.id));
});

test("indexes can be ensured by several replicas at once, and again", async () => {
  const log = pino({ level: "silent" });
  await Promise.all([ensureIndexes(ctx, log), ensureIndexes(ctx, log)]);
  await ensureIndexes(ctx, log);
  const keys = (await notificationsOf(ctx).indexes()).map(({ key }) => key);
  expect(keys).toEqual(
    expect.arrayContaining([
      { playerId: 1, seq: 1 },
      { playerId: 1, readAt: 1, seq: 1 },
    ]),
  );
  await notify(ctx, newId());
});
