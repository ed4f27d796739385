import { afterAll, beforeAll, expect, test } from "vitest";
import { kafka } from "../../tests/support/kafka.ts";
import { ensureTopics } from "./topics.ts";

const admin = kafka.admin();
beforeAll(() => admin.connect());
afterAll(() => admin.disconnect());

test("topics have 12 partitions on three brokers, two of which must have a message", async () => {
  const names = await ensureTopics(admin, { replicationFactor: 3, minInsyncReplicas: 2 });
  expect(names.sort()).toEqual(["notification", "notification.dlt", "player", "player.dlt"]);
});

test("a topic with other settings stops the start with one line each", async () => {
  await expect(ensureTopics(admin, { replicationFactor: 2, minInsyncReplicas: 1 })).rejects.toThrow(
    /player: replication factor is 3, expected 2[\s\S]*player: min.insync.replicas is 2, expected 1/,
  );
});
