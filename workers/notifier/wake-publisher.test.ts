import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WAKE_ALL_CHANNEL, wakeChannel } from "../../domain/notifications/channels.ts";
import { newId } from "../../lib/ids.ts";
import { awaitRedis, connectRedis, type Redis } from "../../lib/redis.ts";
import { type OwnRedis, startOwnRedis } from "../../tests/support/redis.ts";
import { until } from "../../tests/support/until.ts";
import { createWaker } from "./wake-publisher.ts";

const log = pino({ level: "silent" });
let server: OwnRedis;
let redis: Redis;
let edge: Redis;
let heard: string[];
beforeEach(async () => {
  server = await startOwnRedis();
  redis = connectRedis(server.url, log);
  await awaitRedis(redis);
  edge = connectRedis(server.url, log, "subscriber");
  heard = [];
  edge.on("pmessage", (_pattern, channel) => heard.push(channel));
  await edge.psubscribe("notification:*");
});
afterEach(async () => {
  redis.disconnect();
  edge.disconnect();
  await server.kill();
});

/** Redis is back, and the edge listens again. */
async function bringBack() {
  await server.start();
  await until("the edge listens", async () => Number(await redis.pubsub("NUMPAT")) === 1);
}

test("the edges hear of every player", async () => {
  const waker = createWaker(redis, log);
  const players = Array.from({ length: 600 }, newId);
  await waker.wake(players);
  await until("all are heard", () => heard.length === players.length);
  expect(heard).toEqual(players.map(wakeChannel));
  waker.close();
});

test("without Redis waking never fails nor waits, and is made up for when Redis is back", async () => {
  const waker = createWaker(redis, log);
  await server.kill();
  await until("the connection is lost", () => redis.status !== "ready");
  const [first, second] = [newId(), newId()];
  const startedAt = performance.now();
  for (let batch = 0; batch < 20; batch++) await waker.wake([first, second]);
  expect(performance.now() - startedAt).toBeLessThan(500);
  await bringBack();
  // The edge may have come back after a resend; whoever subscribes late looks for itself.
  await until("wake-ups flow again", async () => {
    await waker.wake([first, second]);
    return heard.includes(wakeChannel(first)) && heard.includes(wakeChannel(second));
  });
  waker.close();
});

test("a frozen Redis delays one batch, not each", async () => {
  const waker = createWaker(redis, log);
  server.signal("SIGSTOP");
  const players = Array.from({ length: 5 }, newId);
  const startedAt = performance.now();
  for (const player of players) await waker.wake([player]);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  server.signal("SIGCONT");
  await until("all are heard", () => players.every((player) => heard.includes(wakeChannel(player))));
  waker.close();
});

test("more lost wake-ups than are remembered wake everybody", async () => {
  const waker = createWaker(redis, log, { lostPlayersMax: 10 });
  server.signal("SIGSTOP");
  await waker.wake(Array.from({ length: 11 }, newId));
  server.signal("SIGCONT");
  await until("everybody is woken", () => heard.includes(WAKE_ALL_CHANNEL));
  const later = newId();
  await until("and single wake-ups flow again", async () => {
    await waker.wake([later]);
    return heard.includes(wakeChannel(later));
  });
  waker.close();
});
