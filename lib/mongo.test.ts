import { afterAll, expect, test } from "vitest";
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
