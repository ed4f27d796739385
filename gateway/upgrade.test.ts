import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACCESS_TOKEN_LENGTH_MAX } from "../lib/auth/tokens.ts";
import { newId } from "../lib/ids.ts";
import { startTestEdge, type TestEdge } from "../tests/support/edge.ts";
import { createRecordingLog } from "../tests/support/log.ts";
import { createNotificationsContext } from "../tests/support/notifications.ts";
import { openSocket } from "../tests/support/socket.ts";
import { until } from "../tests/support/until.ts";
import { askForUpgrade, UPGRADE } from "../tests/support/upgrade.ts";

let ctx: Awaited<ReturnType<typeof createNotificationsContext>>;
let edge: TestEdge;
let token: string;
const { log, lines } = createRecordingLog();
beforeAll(async () => {
  ctx = await createNotificationsContext();
  edge = await startTestEdge(ctx, { connectionsPerPlayerMax: 30, log });
  token = await edge.tokenOf(newId());
});
afterAll(async () => {
  await edge.stop();
  await ctx.stop();
});

const READY = { text: expect.stringContaining('"type":"ready"') };
const UNAUTHENTICATED = { closeCode: 4401, reason: "unauthenticated" };
const bearer = () => `Authorization: Bearer ${token}`;
const offer = (...protocols: string[]) => `Sec-WebSocket-Protocol: ${protocols.join(", ")}`;

test.each<[what: string, lines: () => string[], protocol: string | undefined]>([
  ["one line", () => [offer("casino.v1", `bearer.${token}`)], "casino.v1"],
  ["two lines", () => [offer("casino.v1"), offer(`bearer.${token}`)], "casino.v1"],
  ["two lines the other way round", () => [offer(`bearer.${token}`), offer("casino.v1")], "casino.v1"],
  [
    "three lines, one of another protocol",
    () => [offer("x"), offer(`bearer.${token}`), offer("casino.v1")],
    "casino.v1",
  ],
  ["without spaces and with empty members", () => [`sec-websocket-protocol:,casino.v1,,bearer.${token},`], "casino.v1"],
  ["an empty list beside Authorization", () => [bearer(), offer()], undefined],
  ["a list of nothing beside Authorization", () => [bearer(), offer("", "")], undefined],
  ["a token beside Authorization, which goes first", () => [bearer(), offer("casino.v1", "bearer.x")], "casino.v1"],
])("subprotocols are one list, however they are sent: %s", async (_what, lines, protocol) => {
  const answer = await askForUpgrade(edge.url, [...UPGRADE, ...lines()]);
  expect(answer).toMatchObject({ status: 101, frame: READY });
  expect(answer.headers["sec-websocket-protocol"]).toBe(protocol);
});

test.each<[what: string, lines: () => string[]]>([
  ["two Authorization lines", () => [bearer(), bearer()]],
  ["two tokens in one line", () => [`${bearer()}, Bearer ${token}`]],
  ["another scheme, and a token in the subprotocols", () => ["Authorization: Basic YTpi", offer(`bearer.${token}`)]],
  ["two subprotocols with a token", () => [offer("casino.v1", `bearer.${token}`, `bearer.${token}`)]],
  ["two subprotocols with a token in two lines", () => [offer(`bearer.${token}`), offer(`bearer.${token}`)]],
])("who sends more than one token is not asked which one counts: %s", async (_what, lines) => {
  const answer = await askForUpgrade(edge.url, [...UPGRADE, ...lines()]);
  expect(answer).toMatchObject({ status: 101, frame: UNAUTHENTICATED });
});

const long = "x".repeat(ACCESS_TOKEN_LENGTH_MAX + 1);
test.each<[what: string, line: string]>([
  ["Authorization", `Authorization: Bearer ${long}`],
  ["the subprotocols", offer("casino.v1", `bearer.${long}`)],
])("a token above the bound closes with 4401 and says why: %s", async (_what, line) => {
  const answer = await askForUpgrade(edge.url, [...UPGRADE, line]);
  expect(answer).toMatchObject({ status: 101, frame: { closeCode: 4401, reason: "token_too_long" } });
});

test("a token above the bound in an auth frame closes with 4401 and says why", async () => {
  const socket = await edge.open(newId());
  socket.send({ type: "auth", accessToken: long });
  expect(await socket.untilClosed()).toBe(4401);
  expect(socket.closeReason).toBe("token_too_long");
});

test.each<[what: string, query: string]>([
  ["one that is none", "?cursor=abc"],
  ["empty", "?cursor="],
  ["without a value", "?cursor"],
  ["encoded wrongly", "?cursor=%zz"],
  ["not UTF-8", "?cursor=%ff%fe"],
  ["long", `?cursor=${"a".repeat(3_000)}`],
  ["two", "?cursor=Wy0xLCIiXQ&cursor=Wy0xLCIiXQ"],
])("a cursor that is none is said, and the socket serves as without it: %s", async (_what, query) => {
  const answer = await askForUpgrade(edge.url, [...UPGRADE, bearer()], { query });
  expect(answer).toMatchObject({ status: 101, frame: { text: '{"type":"error","code":"invalid_cursor"}' } });
});

test("a cursor may be percent-encoded", async () => {
  const answer = await askForUpgrade(edge.url, [...UPGRADE, bearer()], { query: "?x=1&cursor=%57y0xLCIiXQ" });
  expect(answer.frame).toEqual({ text: '{"type":"ready","cursor":"Wy0xLCIiXQ","recovered":true}' });
});

const without = (name: string) => UPGRADE.filter((line) => !line.startsWith(name));
test.each<[what: string, lines: string[], body?: string]>([
  ["no key", without("Sec-WebSocket-Key")],
  ["a short key", [...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: abc"]],
  ["no version", without("Sec-WebSocket-Version")],
  ["version 8", [...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"]],
  ["two versions", [...UPGRADE, "Sec-WebSocket-Version: 8"]],
  ["another upgrade", [...without("Upgrade"), "Upgrade: h2c"]],
  ["no upgrade", without("Upgrade")],
  ["a body", [...UPGRADE, "Content-Length: 5"], "hello"],
  ["a chunked body", [...UPGRADE, "Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"],
])("what can't become a WebSocket is told how to: %s", async (_what, lines, body = "") => {
  const answer = await askForUpgrade(edge.url, [...lines, bearer(), "X-Request-Id: ticket-4711"], { body });
  expect(answer).toMatchObject({ status: 426, headers: { upgrade: "websocket", "sec-websocket-version": "13" } });
  expect(JSON.parse(answer.body)).toMatchObject({ code: "upgrade_required", requestId: "ticket-4711" });
});

test("HEAD is answered without a body, so that the connection stays in step", async () => {
  const both = await fetch(`${edge.url}/notifications/ws`, { method: "HEAD" });
  expect([both.status, await both.text()]).toEqual([404, ""]);
  const answer = await askForUpgrade(edge.url, [], {
    method: "HEAD",
    body: "GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n",
  });
  expect(answer.body).toMatch(/^HTTP\/1\.1 404 /);
});

describe("the line of a refusal, or of a connection's end, says whose token it was, if that is certain, and why", () => {
  const lineOf = (requestId: string) =>
    until("the line is there", () => lines.find((line) => line.requestId === requestId));
  const ask = async (accessToken: string) => {
    const requestId = newId();
    const authorization = `Authorization: Bearer ${accessToken}`;
    await askForUpgrade(edge.url, [...UPGRADE, authorization, `X-Request-Id: ${requestId}`]);
    return lineOf(requestId);
  };

  test("one that has run out", async () => {
    const [playerId, sessionId] = [newId(), newId()];
    const line = await ask(await edge.tokenOf(playerId, { sessionId, expiresInSeconds: -60 }));
    expect(line).toMatchObject({ msg: "connection refused", reason: "token_expired", playerId, sessionId });
  });

  test("one that is not ours, whose it is nobody knows", async () => {
    const line = await ask(await edge.tokenOf(newId(), { audience: "elsewhere" }));
    expect(line).toMatchObject({ msg: "connection refused", reason: "unauthenticated" });
    expect(line).not.toHaveProperty("playerId");
  });

  test("of a player who has too many connections", async () => {
    const playerId = newId();
    const sockets = await Promise.all(Array.from({ length: 30 }, () => edge.open(playerId)));
    await Promise.all(sockets.map((socket) => socket.untilReady()));
    const sessionId = newId();
    const line = await ask(await edge.tokenOf(playerId, { sessionId }));
    expect(line).toMatchObject({ reason: "too_many_connections", playerId, sessionId });
    for (const socket of sockets) socket.close();
  });

  test("one in an auth frame: whose connection it ended, too", async () => {
    const [playerId, sessionId, other] = [newId(), newId(), newId()];
    const socket = await openSocket(await edge.tokenOf(playerId, { sessionId }), { url: edge.url });
    socket.send({ type: "auth", accessToken: await edge.tokenOf(other) });
    await socket.untilClosed();
    const line = await until("the line is there", () => lines.find((line) => line.playerId === playerId));
    expect(line).toMatchObject({
      msg: "connection",
      code: 4401,
      reason: "unauthenticated",
      sessionId,
      presented: { principalId: other, sessionId: expect.any(String) },
    });
  });

  test("a frame against the protocol: how it broke it", async () => {
    const playerId = newId();
    const socket = await edge.open(playerId);
    await socket.untilReady();
    socket.sendRaw(Buffer.from([0xff]), { binary: false });
    expect(await socket.untilClosed()).toBe(1006);
    const line = await until("the line is there", () => lines.find((line) => line.playerId === playerId));
    expect(line).toMatchObject({ code: 1006, reason: "client", detail: "Received invalid UTF-8" });
  });

  test("no line holds a token", () => {
    expect(lines.length).toBeGreaterThan(10);
    expect(JSON.stringify(lines)).not.toMatch(/eyJ|Bearer|xxxx/);
  });
});
