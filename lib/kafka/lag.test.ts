import { expect, test } from "vitest";
import { createTestTopic, kafka, produce } from "../../tests/support/kafka.ts";
import { newId } from "../ids.ts";
import { createLagReader } from "./lag.ts";

test("a group's lag is what it has not handled of all partitions, from the oldest message on if it has handled nothing", async () => {
  const group = { groupId: `group-${newId()}`, topic: await createTestTopic("lag-reader", 2) };
  const reader = createLagReader(kafka, group);
  const admin = kafka.admin();
  await admin.connect();
  try {
    expect(await reader.read()).toBe(0);
    await produce(
      group.topic,
      Array.from({ length: 7 }, () => ({ key: newId(), value: "{}" })),
    );
    expect(await reader.read()).toBe(7);
    const ends = await admin.fetchTopicOffsets(group.topic);
    const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
    await admin.setOffsets({ ...group, partitions });
    expect(await reader.read()).toBe(0);
    await produce(group.topic, [{ key: newId(), value: "{}" }]);
    expect(await reader.read()).toBe(1);
  } finally {
    await reader.close();
    await admin.disconnect();
  }
});
