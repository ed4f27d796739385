import { createBalanceService } from "../../../../functions/users/ledger/grpc.ts";
import { createGrpcServer } from "../../../../lib/grpc/server.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { createMetrics } from "../../../../lib/telemetry/metrics.ts";
import { BalanceServiceDefinition } from "../../../../proto/generated/casino/balance/v1/balance.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchBalanceService } from "./watch-balance.ts";

/** The gRPC side of Users. */
export interface Input {
  databaseUrl: string;
  serviceToken: string;
  port: number;
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: VICTIM });
const server = createGrpcServer({ serviceToken: input.serviceToken, log, metrics: createMetrics() });
server.add(BalanceServiceDefinition, watchBalanceService(createBalanceService({ db, currency: "EUR" }), reach));
await server.listen(`127.0.0.1:${input.port}`);
