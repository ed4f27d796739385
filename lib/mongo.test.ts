import { afterAll, expect, test } from "vitest";
import { startFreezableProxy } from "../tests/support/freezable-proxy.ts";
import { servers } from "../tests/support/servers.ts";
import { until } from "../tests/support/until.ts";
import { connectMongo, type MongoHandle } from "./mongo.ts";

const handles: MongoHandle[] = [];
afterAll(() => Promise.all(handles.map((handle) => handle.close())));

test.each([
  ["mongodb://one:27017", "notifications"],
  ["mongodb://one:27017/?replicaSet=rs0", "notifications"],
  ["mongodb://one:27017/other?maxPoolSize=5", "other"],
  ["mongodb://one:27017,two:27017,three:27017/notifications?replicaSet=rs0", "notifications"],
])("%s means the database %s", (url, name) => {
  const handle = connectMongo(url, "test");
  handles.push(handle);
  expect(handle.db.databaseName).toBe(name);
});

/** What connects to the document database through a network that can stand still. */
async function throughProxy(options: Parameters<typeof connectMongo>[2] = {}) {
  const url = new URL(servers.mongodbUrl);
  const proxy = await startFreezableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  return { proxy, connect: () => connectMongo(url.href, "test", options) };
}

test("a server that is frozen when it is first asked is found again when it thaws", async () => {
  const { proxy, connect } = await throughProxy();
  proxy.freeze();
  const handle = connect();
  await expect(handle.check()).rejects.toThrow();
  proxy.thaw();
  await until("it answers", () => handle.check().then(() => true), { timeoutMs: 20_000, intervalMs: 200 });
  await handle.close();
  proxy.close();
});

test("whoever sees a check answered after the server stood still may count on the next calls", async () => {
  const changes: boolean[] = [];
  const onCircuitChange = (_: string, isOpen: boolean) => void changes.push(isOpen);
  const { proxy, connect } = await throughProxy({ operationTimeoutMs: 1_000, onCircuitChange });
  const handle = connect();
  const askMany = () => Promise.all(Array.from({ length: 30 }, () => handle.check()));
  await askMany();
  proxy.freeze();
  await Promise.allSettled(Array.from({ length: 10 }, () => handle.check()));
  expect(changes).toEqual([true]);
  proxy.thaw();
  await until("it answers", () => handle.check().then(() => true));
  await askMany();
  expect(changes).toEqual([true, false]);
  await handle.close();
  proxy.close();
});
