import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Status } from "nice-grpc-common";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type AddTransactionRequest,
  BalanceServiceDefinition,
} from "../../proto/generated/casino/balance/v1/balance.ts";
import { notAskedFor } from "../../tests/support/balance-service.ts";
import { until } from "../../tests/support/until.ts";
import { newId } from "../ids.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createGrpcServer } from "./server.ts";

const PATH = "/casino.balance.v1.BalanceService/AddTransaction";
const serviceToken = "a-service-token-of-32-characters-";

const metrics = createMetrics();
const logged: Record<string, unknown>[] = [];
const log = pino({}, { write: (line) => logged.push(JSON.parse(line)) });
const handled: AddTransactionRequest[] = [];
const server = createGrpcServer({ serviceToken, log, metrics });
server.add(BalanceServiceDefinition, {
  voidTransaction: notAskedFor,
  async addTransaction(request) {
    handled.push(request);
    return { transactionId: newId(), balanceMinor: 0, replayed: false };
  },
});
let session: ClientHttp2Session;
beforeAll(async () => {
  session = connect(`http://127.0.0.1:${await server.listen("127.0.0.1:0")}`);
});
afterAll(async () => {
  session.close();
  await server.shutdown();
});
beforeEach(() => {
  logged.length = 0;
  handled.length = 0;
  metrics.grpcRequestSeconds.reset();
});

/** One message on the wire: compressed or not, its length, its bytes (gRPC over HTTP/2, "Length-Prefixed-Message"). */
function frame(bytes: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(Number(isCompressed), 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A call as bytes, so that it can hold what no client would send. */
async function call(body: Buffer | "never ends", headers: Record<string, string> = {}) {
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${serviceToken}`,
    ...headers,
  });
  let answer: Record<string, unknown> = {};
  const take = (given: object) => {
    answer = { ...answer, ...given };
  };
  stream.on("response", take).on("trailers", take).resume();
  if (body !== "never ends") stream.end(body);
  await once(stream, "end");
  stream.close();
  return { status: Number(answer["grpc-status"]), details: decodeURI(String(answer["grpc-message"] ?? "")) };
}

async function expectOneRecord(status: string): Promise<void> {
  await until("the call is logged", () => logged.length > 0);
  expect(logged).toEqual([expect.objectContaining({ msg: "grpc", method: PATH, status })]);
  const { values } = await metrics.grpcRequestSeconds.get();
  const counts = values.filter(({ metricName }) => metricName === "grpc_request_duration_seconds_count");
  expect(counts).toEqual([expect.objectContaining({ value: 1, labels: { method: PATH, status } })]);
}

const field = (number: number, wireType: number) => (number << 3) | wireType;
const amount = (value: string) => new BinaryWriter().uint32(field(4, 0)).int64(value).finish();
const description = (bytes: Buffer) => new BinaryWriter().uint32(field(6, 2)).bytes(bytes).finish();

const unreadable: [string, Buffer, Record<string, string>?][] = [
  ["an amount above 2^53", frame(amount("9007199254740993"))],
  ["the largest amount", frame(amount("9223372036854775807"))],
  ["the smallest amount", frame(amount("-9223372036854775808"))],
  ["bytes that are no message", frame(Buffer.from("GET / HTTP/1.1\r\n\r\n"))],
  ["a message that ends too early", frame(amount("1").subarray(0, 1))],
  ["a text that is longer than the message", frame(Buffer.from([field(6, 2), 100, 65]))],
  ["a text that is not UTF-8", frame(description(Buffer.from("Caf\xe9", "latin1")))],
  ["a text with a lone surrogate", frame(description(Buffer.from([0xed, 0xa0, 0x80])))],
  ["what is said to be gzip", frame(Buffer.from("no gzip"), true), { "grpc-encoding": "gzip" }],
  ["a timeout that is none", frame(amount("1")), { "grpc-timeout": "soon" }],
];

test.each(unreadable)("%s is INVALID_ARGUMENT, logged and counted", async (_, body, headers) => {
  expect(await call(body, headers)).toEqual({
    status: Status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^malformed_message: /),
  });
  await expectOneRecord("INVALID_ARGUMENT");
  expect(handled).toEqual([]);
});

test.each<[string, Buffer, Record<string, string>?]>([
  ["an oversize message", frame(Buffer.alloc(70_000))],
  [
    "one that is oversize once it is unpacked",
    frame(gzipSync(Buffer.alloc(70_000)), true),
    { "grpc-encoding": "gzip" },
  ],
])("%s is RESOURCE_EXHAUSTED, logged and counted", async (_, body, headers) => {
  expect(await call(body, headers)).toEqual({
    status: Status.RESOURCE_EXHAUSTED,
    details: expect.stringMatching(/^payload_too_large: /),
  });
  await expectOneRecord("RESOURCE_EXHAUSTED");
});

test.each<[string, Buffer, Record<string, string>, keyof typeof Status]>([
  ["no message at all", Buffer.alloc(0), {}, "UNIMPLEMENTED"],
  ["two messages", Buffer.concat([frame(amount("1")), frame(amount("1"))]), {}, "UNIMPLEMENTED"],
  ["an encoding that nobody knows", frame(amount("1"), true), { "grpc-encoding": "br" }, "UNIMPLEMENTED"],
])("%s: what gRPC says of it, logged and counted", async (_, body, headers, status) => {
  expect(await call(body, headers)).toMatchObject({ status: Status[status] });
  await expectOneRecord(status);
  expect(handled).toEqual([]);
});

test("a message that does not come in time is DEADLINE_EXCEEDED, logged and counted", async () => {
  expect(await call("never ends", { "grpc-timeout": "50m" })).toMatchObject({ status: Status.DEADLINE_EXCEEDED });
  await expectOneRecord("DEADLINE_EXCEEDED");
});

test.each(unreadable)("without the service token %s is not even read: UNAUTHENTICATED", async (_, body, headers) => {
  expect(await call(body, { ...headers, authorization: "Bearer guess" })).toEqual({
    status: Status.UNAUTHENTICATED,
    details: expect.stringMatching(/^service_token_invalid: /),
  });
  await expectOneRecord("UNAUTHENTICATED");
});

test("without the service token a call is answered before its message has come", async () => {
  expect(await call("never ends", { authorization: "" })).toMatchObject({ status: Status.UNAUTHENTICATED });
});

test("a call that the handler has is logged and counted once too, and text in it comes as it was sent", async () => {
  const text = "\ufeffGrüße, 🎰";
  expect(await call(frame(description(Buffer.from(text))))).toMatchObject({ status: Status.OK });
  await expectOneRecord("OK");
  expect(handled).toMatchObject([{ description: text }]);
});
