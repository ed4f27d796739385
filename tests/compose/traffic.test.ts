import { beforeAll, expect, test } from "vitest";
import { type Account, api, claim, createPromotion, freshEmail, registerPlayer } from "../support/api.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";
import {
  accessLog,
  addressesOf,
  compose,
  containersOf,
  docker,
  inContainer,
  URL_OF_NGINX,
  untilHealthy,
} from "./docker.ts";
import { type House, openHouse, playThrough } from "./player-flow.ts";

let house: House;
let player: Account;
beforeAll(async () => {
  house = await openHouse();
  player = await registerPlayer();
});

const repeat = <T>(times: number, work: () => Promise<T>) => Promise.all(Array.from({ length: times }, work));
const listPromotions = () => api(`GET /promotions/api/v1/promotions/players/${player.id}`, { token: player.token });

test("every replica of every function and of the gateway gets requests", async () => {
  const since = new Date();
  // One after the other: what waits for the same look-up of a name goes to the same replica (nginx before 1.27.3).
  for (let i = 0; i < 30; i++) {
    await api("GET /users/api/v1/users/me", { token: player.token });
    await listPromotions();
    await api("GET /notifications/api/v1/notifications", { token: player.token });
    const socket = await openSocket(player.token);
    await socket.untilReady();
    socket.close();
    await socket.untilClosed();
  }
  const lines = await until("nginx has logged the sockets", async () => {
    const log = await accessLog(since);
    return log.filter(({ path }) => path === "/notifications/ws").length >= 30 ? log : undefined;
  });
  const paths = { users: "/users/api", promotions: "/promotions/api", notifications: "/notifications/api" };
  for (const [service, prefix] of Object.entries({ ...paths, gateway: "/notifications/ws" })) {
    const used = new Set(lines.filter(({ path }) => path.startsWith(prefix)).flatMap(({ upstreams }) => upstreams));
    expect({ service, used: [...used].sort() }).toEqual({ service, used: (await addressesOf(service)).sort() });
  }
});

test("replicas get requests in turn over connections that stay open; from an nginx before 1.27.3, at random over new ones", async () => {
  const isInTurn = (await inContainer("nginx", "readlink /tmp/replicas.conf")).endsWith("/compose.upstreams.conf");
  const containers = await containersOf("promotions");
  const since = new Date();
  for (let i = 0; i < 30; i++) await listPromotions();
  // It keeps idle ones for two seconds, so there are requests until they are counted.
  let isCounted = false;
  const counting = Promise.all(containers.map(countConnections)).finally(() => {
    isCounted = true;
  });
  while (isInTurn && !isCounted) await listPromotions();
  const kept = await counting;
  const log = await until("nginx has logged the requests", async () => {
    const lines = (await accessLog(since)).filter(({ path }) => path.startsWith("/promotions/api"));
    return lines.length >= 30 ? lines : undefined;
  });
  const addresses = log.map(({ upstreams }) => upstreams.at(-1));
  if (isInTurn) {
    const rounds = addresses.slice(3).filter((address, index) => address === addresses[index]);
    expect(rounds.length).toBeGreaterThan(0.9 * (addresses.length - 3));
    expect(Math.min(...kept)).toBeGreaterThan(0);
  } else {
    expect(new Set(addresses).size).toBeGreaterThan(1);
    expect(kept).toEqual([0, 0, 0]);
  }
});

/** @returns established connections to the port that a container serves HTTP on */
async function countConnections(container: string): Promise<number> {
  // proc_net_tcp(5): addresses and states are hexadecimal.
  const PORT = ":0BB8";
  const ESTABLISHED = "01";
  const sockets = await docker("exec", container, "sh", "-c", "cat /proc/net/tcp*");
  return sockets
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(PORT) && state === ESTABLISHED).length;
}

test("every replica of Users gets gRPC calls", async () => {
  const since = new Date().toISOString();
  for (let i = 0; i < 12; i++) {
    const { id } = await createPromotion(house.staff.token);
    await api(`POST /promotions/api/v1/promotions/${id}/assign`, {
      token: house.staff.token,
      json: { playerIds: [player.id] },
    });
    expect((await claim(player, id)).status).toBe(201);
  }
  for (const container of await containersOf("users")) {
    expect(await docker("logs", "--since", since, container)).toContain('"msg":"grpc"');
  }
});

test("a replica that dies gets nothing any more, and its successor gets requests within 10 s", async () => {
  const [victim = ""] = await containersOf("promotions");
  await docker("rm", "--force", victim);
  const diedAt = new Date();
  await until("its address is forgotten", async () => Date.now() - diedAt.getTime() > 4_000);
  const left = await addressesOf("promotions");
  const since = new Date();
  const answers = await repeat(60, listPromotions);
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  const used = (await accessLog(since)).flatMap(({ upstreams }) => upstreams);
  expect(used.filter((address) => !left.includes(address))).toEqual([]);

  await compose("up", "--detach", "--no-deps", "--no-recreate", "promotions");
  await Promise.all((await containersOf("promotions")).map(untilHealthy));
  const healthyAt = new Date();
  const [successor = ""] = (await addressesOf("promotions")).filter((address) => !left.includes(address));
  await until("the successor gets requests", async () => {
    await repeat(5, listPromotions);
    return (await accessLog(healthyAt)).some(({ upstreams }) => upstreams.includes(successor));
  });
  expect(Date.now() - healthyAt.getTime()).toBeLessThan(10_000);
});

test("who tries passwords is slowed down with a problem document, and nobody else is", async () => {
  // Not by api(): what nginx answers by itself is in no service's OpenAPI document.
  const attempt = () =>
    fetch(`${URL_OF_NGINX}/users/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: freshEmail(), password: "x" }),
    });
  const answers = await repeat(200, attempt);
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.headers.get("content-type")).toBe("application/problem+json");
  expect(await refused?.json()).toMatchObject({ status: 429, code: "rate_limited", requestId: expect.any(String) });
  expect((await listPromotions()).status).toBe(200);
  // The limit lets 20 through in a second.
  await until("the next one may try", async () => (await attempt()).status === 401);
});

test("each database's user sees its own database and no other", async () => {
  const connect = (user: string, database: string) =>
    inContainer(
      "postgres",
      `PGPASSWORD=$(cat /secrets/${user}-database-password) psql -h postgres -U ${user} -d ${database} -c 'SELECT 1'`,
    );
  expect(await connect("users", "users")).toContain("1 row");
  expect(await connect("promotions", "promotions")).toContain("1 row");
  await expect(connect("users", "promotions")).rejects.toThrow(/permission denied for database/);
  await expect(connect("promotions", "users")).rejects.toThrow(/permission denied for database/);
  await expect(connect("users", "postgres")).rejects.toThrow(/permission denied for database/);
});

test("a process that crashes is started again", async () => {
  const [container = ""] = await containersOf("notifier");
  const restarts = async () => Number(await docker("inspect", "-f", "{{.RestartCount}}", container));
  const before = await restarts();
  // Everything in the container but its init, which a signal from inside does not reach.
  await docker("exec", container, "sh", "-c", "kill -9 -1").catch(() => undefined);
  await until("it is started again", async () => (await restarts()) > before);
  await untilHealthy(container);
  await playThrough(house);
});

test("nothing but nginx can be reached from outside", async () => {
  const published = (await compose("ps", "--format", "{{.Service}} {{.Ports}}"))
    .split("\n")
    .filter((line) => line.includes("->"));
  expect(published).toEqual([expect.stringContaining("nginx ")]);
  expect((await fetch(`${URL_OF_NGINX}/readyz`)).status).toBe(404);
});
