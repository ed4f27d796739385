import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONSUMER_GROUPS } from "../../lib/kafka/groups.ts";
import {
  type Account,
  api,
  assign,
  claim,
  createPromotion,
  createWelcomeBonus,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import {
  killProcess,
  listProcesses,
  metricOf,
  type StackProcess,
  startProcess,
  stopProcess,
} from "../support/control.ts";
import { kafka } from "../support/kafka.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

/**
 * A dead broker's partitions have new leaders after its session of 6 s. If it coordinated a consumer group, kafkajs gives up and
 * joins as a new member, and the group waits for the old one for another session (10 s). The rest is for slow machines.
 */
const DELAY_MS_MAX = 40_000;

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

const admin = kafka.admin();
beforeAll(() => admin.connect());
afterAll(() => admin.disconnect());

const brokerNames = async () => (await listProcesses()).filter(({ role }) => role === "kafka").map(({ name }) => name);

async function findProcess(name: string): Promise<StackProcess> {
  const found = (await listProcesses()).find((process) => process.name === name);
  if (found === undefined) throw new Error(`there is no process ${name}`);
  return found;
}

/** All replicas are in sync again, so that the next broker may go. */
async function untilInSync(): Promise<void> {
  await until(
    "all replicas are in sync",
    async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: ["player", "notification", "__consumer_offsets"] });
      return topics.every(({ partitions }) => partitions.every(({ isr, leader }) => isr.length === 3 && leader >= 0));
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  );
}

/** @returns how long it takes from a registration until the bonus is notified, in milliseconds */
async function measureFlow(bonusId: string): Promise<number> {
  const startedAt = Date.now();
  const player = await registerPlayer();
  await until("the bonus is notified", async () => (await notifiedOf(player)).includes(bonusId), {
    timeoutMs: 60_000,
    intervalMs: 50,
  });
  return Date.now() - startedAt;
}

/** @returns the ids of the promotions that a player was notified of, the oldest first */
async function notifiedOf(player: Account): Promise<string[]> {
  const { body } = await api("GET /notifications/api/v1/notifications?limit=100", { token: player.token });
  return body.data.map(({ content }: { content: { promotionId: string } }) => content.promotionId).reverse();
}

/** @returns the broker that coordinates a consumer group: the leader of the offsets' partition that its name hashes to */
async function coordinatorOf(groupId: string): Promise<string> {
  const [topic] = (await admin.fetchTopicMetadata({ topics: ["__consumer_offsets"] })).topics;
  const partitions = topic?.partitions ?? [];
  // String.hashCode of Java, made positive as Kafka does (GroupCoordinator.partitionFor).
  const hash = [...groupId].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) | 0, 0) & 0x7fffffff;
  const partition = partitions.find(({ partitionId }) => partitionId === hash % partitions.length);
  return `kafka-${partition?.leader}`;
}

/** The fault run (tests/faults) kills them all; this one is the worst to lose. */
test("the broker that coordinates a worker's group killed: registering, bonus and notification go on, at most seconds late", async () => {
  const bonus = await createWelcomeBonus(staff.token);
  await untilInSync();
  const name = await coordinatorOf(CONSUMER_GROUPS.notifier.groupId);
  const before = await findProcess(name);
  const flows: Promise<number>[] = [measureFlow(bonus.id)];
  await killProcess(name);
  await until(
    `${name} is back`,
    async () => {
      flows.push(measureFlow(bonus.id));
      const { health, restarts } = await findProcess(name);
      return restarts > before.restarts && health === "ready";
    },
    { timeoutMs: 60_000, intervalMs: 1_000 },
  );
  const delaysMs = await Promise.all(flows);
  console.log(`${name} killed: from registering to the notification, in ms: ${delaysMs.join(" ")}`);
  expect(Math.max(...delaysMs)).toBeLessThan(DELAY_MS_MAX);
});

test("two brokers down: registering, assigning and claiming answer 2xx, events wait in the outbox; brokers back: each arrives once, in order", async () => {
  const outboxes = [servers.usersDatabaseUrl, servers.promotionsDatabaseUrl].map((url) => postgres(url, { max: 1 }));
  /** Of these players alone: what others' promotions have expired meanwhile is told too. */
  const countWaiting = async (players: Account[]) => {
    const ids = players.map(({ id }) => id);
    const counts = await Promise.all(
      outboxes.map((sql) => sql`select count(*)::int as count from outbox where key = any(${ids})`),
    );
    return counts.map(([row]) => row?.count as number);
  };
  const bonus = await createWelcomeBonus(staff.token);
  const known = await registerPlayer();
  await untilAssigned(known, bonus.id);
  await until("the known player is notified", async () => (await notifiedOf(known)).length === 1);
  await untilInSync();
  const [first, second] = (await brokerNames()) as [string, string];
  await Promise.all([stopProcess(first), stopProcess(second)]);

  const promotionIds: string[] = [];
  let fresh: Account[] = [];
  try {
    fresh = await Promise.all(Array.from({ length: 5 }, registerPlayer));
    for (let i = 0; i < 10; i++) {
      const { id } = await createPromotion(staff.token);
      expect(await assign(staff.token, id, [known.id])).toMatchObject({ assigned: 1 });
      expect(await claim(known, id)).toMatchObject({ status: 201 });
      promotionIds.push(id);
    }
    expect(await countWaiting([known, ...fresh])).toEqual([fresh.length, promotionIds.length]);
    expect(await metricOf("outbox-relay-users", "outbox_rows")).toBe(fresh.length);
    expect(await metricOf("outbox-relay-users", "outbox_oldest_seconds")).toBeGreaterThan(0);
  } finally {
    await Promise.all([startProcess(first), startProcess(second)]);
  }
  const backAt = Date.now();
  await until(
    "the known player is notified of all",
    async () => (await notifiedOf(known)).length > promotionIds.length,
    { timeoutMs: 60_000 },
  );
  expect(await notifiedOf(known)).toEqual([bonus.id, ...promotionIds]);
  for (const player of fresh) {
    await until("the bonus is notified", async () => (await notifiedOf(player)).length > 0, { timeoutMs: 60_000 });
    expect(await notifiedOf(player)).toEqual([bonus.id]);
  }
  console.log(`All events arrived ${Date.now() - backAt} ms after the brokers were back`);
  await until("the outboxes are empty", async () =>
    (await countWaiting([known, ...fresh])).every((count) => count === 0),
  );
  await Promise.all(outboxes.map((sql) => sql.end()));
});
