import { beforeAll, expect, test } from "vitest";
import { api, freshEmail, PASSWORD } from "../support/api.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";
import { containersOf, docker, inContainer, startAgain } from "./docker.ts";
import { type House, openHouse, playThrough } from "./player-flow.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});

const REPLICATED = [
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
  "kafka-3",
  "sentinel-2",
];

test.each(REPLICATED)("when one %s is killed, players can do everything; and when it is back too", async (service) => {
  const [victim = ""] = await containersOf(service);
  await docker("kill", victim);
  await playThrough(house);
  await startAgain(victim);
  await playThrough(house);
});

test.each(["nginx", "postgres", "ferretdb"])("when %s was killed and is back, everything goes on", async (service) => {
  const [victim = ""] = await containersOf(service);
  await docker("kill", victim);
  await startAgain(victim);
  await playThrough(house);
});

test("when the primary Redis is killed, a replica takes over: sessions live on, and pushes come", async () => {
  const primary = await findPrimary();
  const login = await api("POST /users/api/v1/auth/login", { json: { ...(await newLogin()), tokenDelivery: "body" } });
  const socket = await openSocket(login.body.accessToken);
  await socket.untilReady();
  const [victim = ""] = await containersOf(primary);
  const killedAt = performance.now();
  await docker("kill", victim);
  const refreshed = await until(
    "the session goes on",
    async () => {
      const { refreshToken } = login.body;
      const answer = await api("POST /users/api/v1/auth/refresh", { json: { refreshToken } });
      return answer.status === 200 ? answer : undefined;
    },
    { timeoutMs: 30_000 },
  );
  console.log(
    `Sessions answer again ${((performance.now() - killedAt) / 1000).toFixed(1)} s after the primary's death`,
  );
  expect(refreshed.body.accessToken).toEqual(expect.any(String));
  expect(await findPrimary()).not.toBe(primary);
  await playThrough(house);
  expect(socket.closeCode).toBeUndefined();
  socket.close();

  await startAgain(victim);
  await until(
    "the former primary follows the new one",
    async () => {
      const state = await redis(primary, "info replication");
      return state.includes("role:slave") && state.includes("master_link_status:up");
    },
    { timeoutMs: 60_000 },
  );
  await playThrough(house);
});

async function newLogin() {
  const account = { email: freshEmail(), password: PASSWORD };
  expect((await api("POST /users/api/v1/auth/register", { json: account })).status).toBe(201);
  return account;
}

const redis = (service: string, command: string) =>
  inContainer(service, `REDISCLI_AUTH=$(cat /secrets/redis-password) redis-cli ${command}`);

/** @returns the service's name, by which Sentinel knows it too */
async function findPrimary(): Promise<string> {
  const [host = ""] = (await redis("sentinel-1", "-p 26379 sentinel get-master-addr-by-name casino")).split("\n");
  return host;
}
