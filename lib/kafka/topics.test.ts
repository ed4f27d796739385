import { ConfigResourceTypes } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafka } from "../../tests/support/kafka.ts";
import { until } from "../../tests/support/until.ts";
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

test("dead letters are kept for 90 days, also in topics that were made before that, whose other settings stay", async () => {
  const settings = { replicationFactor: 3, minInsyncReplicas: 2 };
  const [topic] = (await ensureTopics(admin, settings)).filter((name) => name.endsWith(".dlt"));
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic as string };
  const earlier = [
    { name: "min.insync.replicas", value: "2" },
    { name: "max.message.bytes", value: "2097152" },
    { name: "compression.type", value: "uncompressed" },
  ];
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: earlier }] });
  await ensureTopics(admin, settings);
  await until("the brokers have it", async () => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    const of = (name: string) => resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
    expect(of("retention.ms")).toBe("7776000000");
    for (const { name, value } of earlier) expect(of(name)).toBe(value);
    return true;
  });
});
