import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Status } from "nice-grpc-common";
import { expect, test } from "vitest";
import { BalanceServiceDefinition } from "../../proto/generated/casino/balance/v1/balance.ts";
import { CREDIT_TO_NOBODY, notAskedFor } from "../../tests/support/balance-service.ts";
import { servers } from "../../tests/support/servers.ts";
import { silentLog } from "../../tests/support/users-service.ts";
import { AppError } from "../errors.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { connectBalanceService } from "./client.ts";
import { createGrpcServer } from "./server.ts";

/** Milliseconds that pass until a connection is served, as by a machine that is busy. */
const BUSY_MS = 400;

test("a Users that takes its time to take a connection is reached all the same", async () => {
  const [, port = ""] = /:(\d+)(,|$)/.exec(servers.usersGrpcTarget) ?? [];
  const busy = createServer(async (socket) => {
    await delay(BUSY_MS);
    const users = connect(Number(port), "127.0.0.1");
    socket.pipe(users).pipe(socket);
    for (const end of [socket, users]) end.on("error", () => {});
  });
  await once(busy.listen(0, "127.0.0.1"), "listening");
  const target = `ipv4:127.0.0.1:${(busy.address() as AddressInfo).port}`;
  const { client, close } = connectBalanceService(target, servers.serviceToken);
  const answer = client.addTransaction(CREDIT_TO_NOBODY);
  await expect(answer).rejects.toMatchObject({ code: Status.NOT_FOUND });
  close();
  busy.close();
});

test.each([
  ["a refusal is one when every attempt was answered", 1, Status.FAILED_PRECONDITION],
  ["a refusal is unsure when an attempt before it was not answered: a replica may yet write", 2, Status.UNAVAILABLE],
])("%s", async (_, attempts, code) => {
  const serviceToken = "a-service-token-of-32-characters-";
  const server = createGrpcServer({ serviceToken, log: silentLog, metrics: createMetrics() });
  let calls = 0;
  server.add(BalanceServiceDefinition, {
    voidTransaction: notAskedFor,
    async addTransaction(_, { signal }) {
      calls += 1;
      if (calls < attempts) await once(signal, "abort");
      throw new AppError("failed_precondition", "player_not_active", "The player is suspended.");
    },
  });
  const port = await server.listen("127.0.0.1:0");
  const { client, close } = connectBalanceService(`ipv4:127.0.0.1:${port}`, serviceToken);
  try {
    await expect(client.addTransaction(CREDIT_TO_NOBODY)).rejects.toMatchObject({ code });
    expect(calls).toBe(attempts);
  } finally {
    close();
    await server.shutdown();
  }
});
