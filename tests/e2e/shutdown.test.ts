import { beforeAll, expect, test } from "vitest";
import { type Account, balanceOf, createWelcomeBonus, registerStaff } from "../support/api.ts";
import { killProcess, listProcesses, type StackProcess } from "../support/control.ts";
import { countDeliveries } from "../support/deliveries.ts";
import { readTopic } from "../support/kafka.ts";
import { startTraffic, type TrafficPlayer } from "../support/traffic.ts";
import { until } from "../support/until.ts";

/** What a container platform grants by default before it kills. */
const EXIT_MS_MAX = 10_000;

let staff: Account;
beforeAll(async () => {
  staff = await registerStaff();
});

/** Sends SIGTERM, and waits until its successor is ready. @returns how long it took to exit, in milliseconds */
async function terminate({ name, pid, restarts }: StackProcess): Promise<number> {
  const startedAt = Date.now();
  await killProcess(name, "SIGTERM");
  await until(`${name} has exited`, () => !isAlive(pid as number), { intervalMs: 5 });
  const exitMs = Date.now() - startedAt;
  await until(`${name} is back`, async () => {
    const now = (await listProcesses()).find((process) => process.name === name);
    return now?.health === "ready" && now.restarts > restarts;
  });
  return exitMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("SIGTERM to every process of ours under load fails no request, delivers no message twice, and takes less than 10 s", async () => {
  await createWelcomeBonus(staff.token);
  const processes = (await listProcesses()).filter(({ internalPort }) => internalPort !== null);
  const instances = (index: number) => processes.filter(({ name }) => name.endsWith(`-${index}`));
  const startedAt = Date.now();
  const traffic = await startTraffic(staff);
  const exits: Record<string, number> = {};
  // One instance of everything at a time, as in a rolling restart of the whole system; of workers there is one only.
  for (const index of [1, 2, 3]) {
    await Promise.all(
      instances(index).map(async (process) => {
        exits[process.name] = await terminate(process);
      }),
    );
  }
  const report = await traffic.stop();
  const restarted = Object.keys(exits).length;
  console.log(
    `${report.answered} requests, ${report.posts} of them POST, while ${restarted} processes were replaced:`,
    `${report.failures.length} failed; exits in ms: ${JSON.stringify(exits)}`,
  );
  expect(report.failures).toEqual([]);
  expect(report.posts).toBeGreaterThan(200);
  expect(Math.max(...Object.values(exits))).toBeLessThan(EXIT_MS_MAX);

  for (const player of report.players) await expectAllArrived(player);
  expect(report.players.flatMap(({ follower }) => follower.failures)).toEqual([]);
  const reconnects = report.players.reduce((sum, { follower }) => sum + follower.reconnects, 0);
  expect(reconnects).toBeGreaterThan(0);

  for (const [worker, topic] of [
    ["welcome-bonus-1", "player"],
    ["notifier-1", "notification"],
  ] as const) {
    const { deliveries, repeated } = countDeliveries([worker], startedAt);
    console.log(`${worker}: ${deliveries} deliveries, ${repeated.length} repeated; ${reconnects} reconnects`);
    expect(repeated).toEqual([]);
    expect(deliveries).toBeGreaterThan(report.registered.length);
    expect(await findPublishedTwice(topic, startedAt)).toEqual([]);
  }
});

/** Every assignment is notified once, in order, over all connections of the socket; and the money fits the claims. */
async function expectAllArrived({ account, assigned, claimedMinor, follower }: TrafficPlayer) {
  const idsOf = () => follower.notifications.map(({ content }) => content.promotionId as string);
  await until("the last one is pushed", () => idsOf().includes(assigned.at(-1) as string));
  follower.close();
  expect(idsOf().filter((id) => assigned.includes(id))).toEqual(assigned);
  expect(new Set(follower.notifications.map(({ id }) => id)).size).toBe(follower.notifications.length);
  expect(await balanceOf(account)).toBe(claimedMinor);
}

/** @returns the ids of events that are in a topic more than once */
async function findPublishedTwice(topic: string, sinceMs: number): Promise<string[]> {
  const events = (await readTopic(topic)).map(({ value }) => JSON.parse(value) as { id: string; time: string });
  const recent = events.filter(({ time }) => Date.parse(time) >= sinceMs);
  return [...Map.groupBy(recent, ({ id }) => id)].filter(([, copies]) => copies.length > 1).map(([id]) => id);
}
