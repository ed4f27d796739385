import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { type OwnRedis, STORE_NOTHING, startOwnRedis } from "../tests/support/redis.ts";
import { until } from "../tests/support/until.ts";
import { field } from "./config.ts";
import { connectRedis, type Redis } from "./redis.ts";
import { parseSentinelUrl } from "./redis-sentinel.ts";
import { createLogger } from "./telemetry/log.ts";

const PASSWORD = "a password/with@signs";
const log = createLogger({ name: "test", instance: "test", level: "silent" });
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

test("a Sentinel URL has every Sentinel, the primary's name and the password", () => {
  expect(parseSentinelUrl("redis+sentinel://:p%40ss@s1:26379,s2:26380/casino")).toEqual({
    sentinels: [
      { host: "s1", port: 26379 },
      { host: "s2", port: 26380 },
    ],
    name: "casino",
    password: "p@ss",
  });
  expect(parseSentinelUrl("redis+sentinel://s1:26379/casino")?.password).toBeUndefined();
  expect(parseSentinelUrl("redis://:p@s1:6379")).toBeUndefined();
});

test.each(["redis+sentinel://s1:26379", "redis+sentinel://s1/casino", "redis+sentinel://:p@s1:26379,/casino"])(
  "%s is refused by the configuration",
  (url) => {
    expect(field.redisUrl.safeParse(url).success).toBe(false);
    expect(field.redisUrl.safeParse("redis+sentinel://:p@s1:26379,s2:26379/casino").success).toBe(true);
  },
);

test("commands and subscriptions follow the primary to the replica that takes over", async () => {
  const auth = ["--requirepass", PASSWORD, "--masterauth", PASSWORD];
  const primary = await start([...STORE_NOTHING, ...auth]);
  const replica = await start([...STORE_NOTHING, ...auth, "--replicaof", "127.0.0.1", String(primary.port)]);
  const sentinel = await startSentinel(primary.port);
  const url = `redis+sentinel://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${sentinel.port}/casino`;
  const commands = track(connectRedis(url, log));
  const subscriber = track(connectRedis(url, log, "subscriber"));
  const heard: string[] = [];
  subscriber.on("message", (_, message: string) => heard.push(message));
  await until("the subscription stands", () => subscriber.subscribe("news"));
  await until("a command is answered", () => commands.set("before", "1"));
  await until("the replica has it", async () => (await ask(replica, "GET", "before")) === "1");
  await until("Sentinel knows the replica", async () => {
    const replicas = (await ask(sentinel, "SENTINEL", "REPLICAS", "casino")) as unknown[];
    return replicas.length === 1;
  });

  await primary.kill();
  await until("a write goes to the new primary", () => commands.set("after", "2"));
  expect(await commands.get("before")).toBe("1");
  await until("the subscription is there too", async () => {
    await commands.publish("news", "hello");
    return heard.includes("hello");
  });
});

/** One command to one server, past Sentinel. */
async function ask(server: OwnRedis, command: string, ...args: string[]): Promise<unknown> {
  const direct = connectRedis(`redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}`, log);
  try {
    await until("connected", () => direct.status === "ready");
    return await direct.call(command, ...args);
  } finally {
    direct.disconnect();
  }
}

async function start(args: readonly string[]): Promise<OwnRedis> {
  const server = await startOwnRedis(args);
  cleanUp.push(server.kill);
  return server;
}

async function startSentinel(primaryPort: number): Promise<OwnRedis> {
  const folder = await mkdtemp(path.join(tmpdir(), "sentinel-"));
  cleanUp.push(() => rm(folder, { recursive: true }));
  const configuration = path.join(folder, "sentinel.conf");
  const settings = [
    `requirepass "${PASSWORD}"`,
    `sentinel monitor casino 127.0.0.1 ${primaryPort} 1`,
    `sentinel auth-pass casino "${PASSWORD}"`,
    "sentinel down-after-milliseconds casino 500",
    "sentinel failover-timeout casino 3000",
  ];
  await writeFile(configuration, `${settings.join("\n")}\n`);
  return start([configuration, "--sentinel"]);
}

function track(redis: Redis): Redis {
  cleanUp.push(() => redis.disconnect());
  return redis;
}
