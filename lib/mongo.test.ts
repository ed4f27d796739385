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

test("a server that is frozen when it is first asked is found again when it thaws", async () => {
  const url = new URL(servers.mongodbUrl);
  const proxy = await startFreezableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  proxy.freeze();
  const handle = connectMongo(url.href, "test");
  await expect(handle.check()).rejects.toThrow();
  proxy.thaw();
  await until("it answers", () => handle.check().then(() => true), { timeoutMs: 20_000, intervalMs: 200 });
  await handle.close();
  proxy.close();
});
