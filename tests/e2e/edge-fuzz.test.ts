import { beforeAll, expect, test } from "vitest";
import { type Edge, fuzzEdges } from "../fuzz/edges.ts";
import { registerPlayer } from "../support/api.ts";
import { listProcesses } from "../support/control.ts";
import { servers } from "../support/servers.ts";

/** `npm run test:fuzz` sends more. */
const CONNECTIONS = 150;
const SEED = 1;
const PLAYERS = 8;

let gateways: Edge[];
let grpcServers: Edge[];
beforeAll(async () => {
  const processes = await listProcesses();
  const [gateway] = processes.filter(({ role }) => role === "gateway");
  const [users] = processes.filter(({ role }) => role === "users");
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(servers.usersGrpcTarget) ?? [];
  gateways = [{ pid: gateway?.pid ?? 0, port: gateway?.port ?? 0 }];
  grpcServers = [{ pid: users?.pid ?? 0, port: Number(port) }];
});

test("random bytes, cut off and huge frames crash neither a gateway nor gRPC, and leave nothing in memory", async () => {
  const before = await listProcesses();
  const players = await Promise.all(Array.from({ length: PLAYERS }, registerPlayer));
  const { serviceToken } = servers;
  const outcome = await fuzzEdges({
    seed: SEED,
    connections: CONNECTIONS,
    gateways,
    grpcServers,
    accessTokens: players.map(({ token }) => token),
    serviceToken,
  });
  expect(outcome.connections).toBe(3 * 2 * CONNECTIONS);
  // Of the gateway's six ways in ten, of gRPC's every second one.
  expect(outcome.opened).toBeGreaterThan(outcome.connections / 3);
  const lives = (all: typeof before) => all.map(({ name, pid, restarts }) => ({ name, pid, restarts }));
  expect(lives(await listProcesses())).toEqual(lives(before));
});
