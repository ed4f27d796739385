import { setTimeout as delay } from "node:timers/promises";
import { ChannelCredentials, createChannel, createClient, Metadata } from "nice-grpc";
import { expect, test } from "vitest";
import {
  type BalanceServiceClient,
  BalanceServiceDefinition,
} from "../../proto/generated/casino/balance/v1/balance.ts";
import { notAskedFor } from "../../tests/support/balance-service.ts";
import { silentLog } from "../../tests/support/users-service.ts";
import { newId } from "../ids.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createGrpcServer } from "./server.ts";

const serviceToken = "a-service-token-of-32-characters-";
const CALLERS = 20;
const CALL_MS = 20;

test("a connection is replaced when it is old, and no call in flight fails of it", async () => {
  const server = createGrpcServer({ serviceToken, log: silentLog, metrics: createMetrics(), connectionAgeMaxMs: 100 });
  const peers = new Set<string>();
  let served = 0;
  server.add(BalanceServiceDefinition, {
    voidTransaction: notAskedFor,
    async addTransaction(_, context) {
      peers.add(context.peer);
      served += 1;
      await delay(CALL_MS);
      return { transactionId: newId(), balanceMinor: 0, replayed: false };
    },
  });
  const port = await server.listen("127.0.0.1:0");
  // Not the project's own client, whose retries would hide a failed call.
  const channel = createChannel(`ipv4:127.0.0.1:${port}`, ChannelCredentials.createInsecure());
  const client: BalanceServiceClient = createClient(BalanceServiceDefinition, channel);
  const metadata = Metadata({ authorization: `Bearer ${serviceToken}` });
  try {
    let answered = 0;
    const call = async () => {
      while (peers.size < 6) {
        await client.addTransaction({}, { metadata });
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    expect(served).toBe(answered);
  } finally {
    channel.close();
    await server.shutdown();
  }
});
