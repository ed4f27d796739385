import { beforeAll, expect, test } from "vitest";
import { api, balanceOf, logIn } from "../support/api.ts";
import { compose, containersOf, docker, readSecret, untilHealthy, up } from "./docker.ts";
import { startLoad } from "./load.ts";
import { type House, openHouse, playThrough } from "./player-flow.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});

/** Everything that has a second one of its kind to take its requests. */
const SERVICES = [
  "users",
  "promotions",
  "notifications",
  "gateway",
  "outbox-relay-users",
  "outbox-relay-promotions",
  "welcome-bonus",
  "notifier",
  "claim-reconciler",
  "assignment-expirer",
  "kafka-1",
  "kafka-2",
  "kafka-3",
  "sentinel-1",
];

test("a rolling restart of every service under load fails no request", { timeout: 480_000 }, async () => {
  const load = startLoad(await playThrough(house));
  try {
    for (const service of SERVICES) {
      for (const container of await containersOf(service)) {
        await docker("restart", "--time", "15", container);
        await untilHealthy(container);
      }
    }
  } finally {
    const { answered, failures } = await load.stop();
    console.log(`${answered} requests were answered during the rolling restart, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(500);
  }
  await playThrough(house);
});

test("replacing every replica of a service with a new container under load fails no request", async () => {
  const load = startLoad(await playThrough(house));
  const bringUp = (...options: string[]) =>
    compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", ...options);
  const before = await containersOf("promotions");
  for (const container of before) {
    await bringUp("--scale", "promotions=4", "promotions");
    await docker("stop", "--time", "15", container);
    await docker("rm", container);
  }
  await bringUp("promotions");
  expect((await load.stop()).failures).toEqual([]);
  const after = await containersOf("promotions");
  expect(after).toHaveLength(before.length);
  expect(after.filter((container) => before.includes(container))).toEqual([]);
});

test("`down` and `up` keep the data", { timeout: 400_000 }, async () => {
  const player = await playThrough(house);
  const password = await readSecret("admin-password");
  await compose("down");
  console.log(`Up again after ${(await up()).toFixed(1)} s`);

  expect(await readSecret("admin-password")).toBe(password);
  const token = await logIn(player.email, player.password);
  expect(await balanceOf({ ...player, token })).toBe(await balanceOf(player));
  expect(await balanceOf(player)).toBeGreaterThan(0);
  const { body } = await api("GET /notifications/api/v1/notifications", { token });
  expect(body.data).toHaveLength(1);
  await playThrough(house);
});
