import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Status } from "nice-grpc-common";
import { expect, test } from "vitest";
import { TransactionType } from "../../proto/generated/casino/balance/v1/balance.ts";
import { servers } from "../../tests/support/servers.ts";
import { newId } from "../ids.ts";
import { connectBalanceService } from "./client.ts";

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
  const answer = client.addTransaction({
    idempotencyKey: newId(),
    userId: newId(),
    type: TransactionType.TRANSACTION_TYPE_CREDIT,
    amountMinor: 1,
    currency: "EUR",
    description: "for nobody",
    reference: "test",
  });
  await expect(answer).rejects.toMatchObject({ code: Status.NOT_FOUND });
  close();
  busy.close();
});
