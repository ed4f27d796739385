import { type ClientError, Status } from "nice-grpc-common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { changeUserStatus } from "../../../domain/users/accounts/change-user-status.ts";
import type { User } from "../../../domain/users/accounts/user.ts";
import { connectBalanceService } from "../../../lib/grpc/client.ts";
import { createGrpcServer } from "../../../lib/grpc/server.ts";
import { newId } from "../../../lib/ids.ts";
import { connectDatabase } from "../../../lib/postgres.ts";
import { createMetrics } from "../../../lib/telemetry/metrics.ts";
import { BalanceServiceDefinition, TransactionType } from "../../../proto/generated/casino/balance/v1/balance.ts";
import { createRecordingLog } from "../../../tests/support/log.ts";
import { until } from "../../../tests/support/until.ts";
import { createPlayer, createStaff, createUsersContext, silentLog } from "../../../tests/support/users-service.ts";
import { createBalanceService } from "./grpc.ts";

const serviceToken = "a-service-token-of-32-characters-";
const { TRANSACTION_TYPE_CREDIT: CREDIT, TRANSACTION_TYPE_DEBIT: DEBIT } = TransactionType;

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let service: Awaited<ReturnType<typeof serve>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  service = await serve(ctx);
  player = await createPlayer(ctx);
});
afterAll(async () => {
  await service.stop();
  await ctx.stop();
});

/** The service on a free port, and a client of it. */
async function serve(on: Parameters<typeof createBalanceService>[0], token = serviceToken, log = silentLog) {
  const server = createGrpcServer({ serviceToken, log, metrics: createMetrics() });
  server.add(BalanceServiceDefinition, createBalanceService(on));
  const port = await server.listen("127.0.0.1:0");
  const { client, close } = connectBalanceService(`ipv4:127.0.0.1:${port}`, token);
  const stop = async () => {
    close();
    await server.shutdown();
  };
  return { client, stop };
}

const request = (overrides = {}) => ({
  idempotencyKey: newId(),
  userId: player.id,
  type: CREDIT,
  amountMinor: 2_000,
  currency: "EUR",
  description: "a bonus",
  reference: "promotion:1",
  ...overrides,
});
const failure = (call: Promise<unknown>): Promise<ClientError> =>
  call.then(
    (answer) => Promise.reject(new Error(`answered ${JSON.stringify(answer)}`)),
    (error: ClientError) => error,
  );

test("a transaction is written once per key, however often it is sent", async () => {
  const message = request();
  const answers = await Promise.all(Array.from({ length: 20 }, () => service.client.addTransaction(message)));
  expect(new Set(answers.map(({ transactionId }) => transactionId)).size).toBe(1);
  expect(new Set(answers.map(({ balanceMinor }) => balanceMinor))).toEqual(new Set([2_000]));
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
});

test.each([
  ["no key", { idempotencyKey: "" }],
  ["a key that is too long", { idempotencyKey: "x".repeat(129) }],
  ["a user id that is none", { userId: "x" }],
  ["no type", { type: TransactionType.TRANSACTION_TYPE_UNSPECIFIED }],
  ["an unknown type", { type: 7 as typeof CREDIT }],
  ["no amount", { amountMinor: 0 }],
  ["a negative amount", { amountMinor: -1 }],
  ["a currency that is none", { currency: "euro" }],
  ["a description that is too long", { description: "x".repeat(201) }],
  ["a reference with NUL", { reference: "a\0b" }],
])("%s is INVALID_ARGUMENT", async (_, change) => {
  const error = await failure(service.client.addTransaction(request(change)));
  expect(error).toMatchObject({
    code: Status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^validation_failed: /),
  });
});

test("each refusal has its status and code", async () => {
  const suspended = await createPlayer(ctx);
  const actor = await createStaff(ctx);
  await changeUserStatus(ctx, {
    userId: suspended.id,
    status: "suspended",
    reason: "r",
    actor,
    traceparent: undefined,
  });
  const used = request();
  await service.client.addTransaction(used);
  const cases: [object, Status, string][] = [
    [{ userId: newId() }, Status.NOT_FOUND, "player_not_found"],
    [{ userId: actor.id }, Status.NOT_FOUND, "player_not_found"],
    [{ userId: suspended.id }, Status.FAILED_PRECONDITION, "player_not_active"],
    [{ type: DEBIT, amountMinor: 1_000_000_000 }, Status.FAILED_PRECONDITION, "insufficient_balance"],
    [{ currency: "USD" }, Status.FAILED_PRECONDITION, "currency_mismatch"],
    [{ amountMinor: Number.MAX_SAFE_INTEGER }, Status.FAILED_PRECONDITION, "balance_limit"],
    [{ idempotencyKey: used.idempotencyKey, amountMinor: 1 }, Status.ALREADY_EXISTS, "idempotency_key_reused"],
  ];
  for (const [change, code, reason] of cases) {
    const error = await failure(service.client.addTransaction(request(change)));
    expect(error).toMatchObject({ code, details: expect.stringMatching(`^${reason}: `) });
  }
});

test("no call without the service token", async () => {
  const other = await serve(ctx, "not-the-service-token-of-32-chars");
  try {
    const error = await failure(other.client.addTransaction(request()));
    expect(error).toMatchObject({ code: Status.UNAUTHENTICATED });
  } finally {
    await other.stop();
  }
});

test("a database that is away is UNAVAILABLE, so that callers try again", async () => {
  const database = connectDatabase({ url: "postgres://nobody@127.0.0.1:1/none", name: "test" });
  const other = await serve({ db: database.db, currency: "EUR" });
  try {
    const error = await failure(other.client.addTransaction(request()));
    expect(error).toMatchObject({
      code: Status.UNAVAILABLE,
      details: expect.stringMatching(/^database_unavailable: /),
    });
  } finally {
    await other.stop();
    await database.close();
  }
});

test("a call's line says whose balance it was about, and a refusal's why", async () => {
  const { log, lines } = createRecordingLog();
  const other = await serve(ctx, serviceToken, log);
  const lineOf = ({ idempotencyKey }: { idempotencyKey: string }) =>
    until("the line is there", () => lines.find((line) => line.idempotencyKey === idempotencyKey));
  try {
    const good = request();
    const { transactionId } = await other.client.addTransaction(good);
    const { userId, reference } = good;
    expect(await lineOf(good)).toMatchObject({ status: "OK", userId, type: "CREDIT", reference, transactionId });
    const refused = request({ userId: newId() });
    await failure(other.client.addTransaction(refused));
    expect(await lineOf(refused)).toMatchObject({
      status: "NOT_FOUND",
      userId: refused.userId,
      details: expect.stringMatching(/^player_not_found: /),
      peer: expect.stringContaining("127.0.0.1"),
    });
  } finally {
    await other.stop();
  }
});
