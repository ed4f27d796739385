import { afterEach, beforeEach, expect, test } from "vitest";
import { type OwnRedis, startRedisPair } from "../tests/support/redis.ts";
import { until } from "../tests/support/until.ts";
import { awaitRedis, connectRedis, type Redis } from "./redis.ts";
import {
  createReplicatedRedis,
  NotReplicatedError,
  type ReplicatedRedis,
  replicasNamedBy,
} from "./redis-replicated.ts";
import { createLogger } from "./telemetry/log.ts";

const log = createLogger({ name: "test", instance: "test", level: "silent" });
let primary: OwnRedis;
let replica: OwnRedis;
let onPrimary: Redis;
let onReplica: Redis;
const opened: { disconnect(): void }[] = [];

beforeEach(async () => {
  ({ primary, replica } = await startRedisPair());
  onPrimary = await connect(primary);
  onReplica = await connect(replica);
  await until("the replica follows", async () => (await onPrimary.wait(1, 100)) === 1);
});
afterEach(async () => {
  for (const each of opened.splice(0)) each.disconnect();
  replica.signal("SIGCONT");
  await Promise.all([primary.kill(), replica.kill()]);
});

async function connect({ url }: OwnRedis): Promise<Redis> {
  const redis = connectRedis(url, log);
  opened.push(redis);
  await awaitRedis(redis);
  return redis;
}
const createWriter = async (replicasMin: 0 | 1 = 0, server = primary) =>
  createReplicatedRedis(await connect(server), { replicasMin });
const set = (writer: ReplicatedRedis, key: string) =>
  writer.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, key, "1");
const stopReplication = () => onReplica.replicaof("NO", "ONE");

test("what is answered is at the replica, of many at once too", async () => {
  const writer = await createWriter();
  const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`);
  await Promise.all(
    keys.map(async (key) => {
      await set(writer, key);
      expect(await onReplica.get(key)).toBe("1");
    }),
  );
});

test("what another connection wrote before is there too", async () => {
  const writer = await createWriter();
  await onPrimary.set("before", "1");
  await writer.eval("return 1", 0);
  expect(await onReplica.get("before")).toBe("1");
});

test("a replica that is frozen or gone makes it an error, in time; to repeat it when there is one again succeeds", async () => {
  const writer = await createWriter();
  await set(writer, "first");
  replica.signal("SIGSTOP");
  const startedAt = performance.now();
  const outcomes = await Promise.allSettled(["a", "b", "c"].map((key) => set(writer, key)));
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(NotReplicatedError) });
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(await onPrimary.get("a")).toBe("1");
  replica.signal("SIGCONT");
  await until("there is a replica again", () => set(writer, "a").catch(() => undefined));

  await stopReplication();
  await until("the primary knows", async () => /connected_slaves:0/.test(await onPrimary.info("replication")));
  await expect(set(writer, "lost")).rejects.toBeInstanceOf(NotReplicatedError);
});

test("a server that has never had a replica waits for none, unless there has to be one", async () => {
  await stopReplication();
  const alone = await createWriter(0, replica);
  expect(await set(alone, "key")).toBe("OK");
  await expect(set(await createWriter(1, replica), "key")).rejects.toBeInstanceOf(NotReplicatedError);
});

test("what is wrong with one script is said to its caller only", async () => {
  const writer = await createWriter();
  const [wrong, right] = await Promise.allSettled([writer.eval("not Lua", 0), set(writer, "right")]);
  expect(wrong).toMatchObject({ status: "rejected", reason: { name: "ReplyError" } });
  expect(right).toMatchObject({ status: "fulfilled" });
});

test("a server that is no primary any more has not taken it", async () => {
  const writer = await createWriter();
  await set(writer, "first");
  await stopReplication();
  await onPrimary.replicaof("127.0.0.1", replica.port);
  await expect(set(writer, "second")).rejects.toThrow();
});

test("Sentinels have a replica to choose", () => {
  expect(replicasNamedBy("redis+sentinel://s1:26379,s2:26379/casino")).toBe(1);
  expect(replicasNamedBy("redis://:p@s1:6379")).toBe(0);
});
