import { users } from "../../drizzle/users/schema.ts";
import { createBalanceService } from "../../functions/users/ledger/grpc.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { createGrpcServer } from "../../lib/grpc/server.ts";
import { newId } from "../../lib/ids.ts";
import type { Database } from "../../lib/postgres.ts";
import { BalanceServiceDefinition, TransactionType } from "../../proto/generated/casino/balance/v1/balance.ts";
import { metrics, silentLog } from "./kafka.ts";
import { freshEmail } from "./users-service.ts";

const SERVICE_TOKEN = "a-service-token-of-32-characters-";

/** A request that Users can only refuse. */
export const CREDIT_TO_NOBODY = {
  idempotencyKey: newId(),
  userId: newId(),
  type: TransactionType.TRANSACTION_TYPE_CREDIT,
  amountMinor: 1,
  currency: "EUR",
  description: "for nobody",
  reference: "test",
};

/** A method that a test's own service or client has, since the type asks for it. */
export const notAskedFor = (): Promise<never> => Promise.reject(new Error("this test does not ask for it"));

/** Users' gRPC side on a database of the test's own, in its process, and a client of it. */
export async function startBalanceService(db: Database) {
  const server = createGrpcServer({ serviceToken: SERVICE_TOKEN, log: silentLog, metrics });
  server.add(BalanceServiceDefinition, createBalanceService({ db, currency: "EUR" }));
  const target = `ipv4:127.0.0.1:${await server.listen("127.0.0.1:0")}`;
  const { client, close } = connectBalanceService(target, SERVICE_TOKEN);
  return {
    client,
    stop() {
      close();
      server.forceShutdown();
    },
  };
}

/** @returns the ids of new players, whom nobody can log in as */
export async function insertPlayers(db: Database, count: number): Promise<string[]> {
  const rows = Array.from({ length: count }, () => ({
    email: freshEmail(),
    passwordHash: "none",
    role: "player" as const,
    currency: "EUR",
  }));
  const inserted = await db.insert(users).values(rows).returning({ id: users.id });
  return inserted.map(({ id }) => id);
}
