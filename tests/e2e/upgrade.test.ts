import { beforeAll, expect, test } from "vitest";
import { ACCESS_TOKEN_LENGTH_MAX } from "../../lib/auth/tokens.ts";
import { type Account, registerPlayer } from "../support/api.ts";
import { listProcesses } from "../support/control.ts";
import { servers } from "../support/servers.ts";
import { askForUpgrade, UPGRADE } from "../support/upgrade.ts";

let player: Account;
let gatewayUrl: string;
beforeAll(async () => {
  player = await registerPlayer();
  const gateway = (await listProcesses()).find(({ role }) => role === "gateway");
  gatewayUrl = `http://127.0.0.1:${gateway?.port}`;
});

const READY = { text: expect.stringContaining('"type":"ready"') };
const bearer = () => `Authorization: Bearer ${player.token}`;
const offer = (...protocols: string[]) => `Sec-WebSocket-Protocol: ${protocols.join(", ")}`;

/** What a browser sends with every request, and what some have in much of it. */
const BROWSER = [
  `User-Agent: ${"Mozilla/5.0 ".repeat(100)}`,
  "Accept: */*",
  "Accept-Language: en-GB,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Origin: https://casino.example",
  "Pragma: no-cache",
  "Cache-Control: no-cache",
  "Sec-Fetch-Dest: empty",
  "Sec-Fetch-Mode: websocket",
  "Sec-Fetch-Site: same-origin",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
];
const cookies = (bytes: number) => `Cookie: consent=${"x".repeat(bytes)}`;
const many = Array.from({ length: 150 }, (_, index) => `X-Added-${index}: by an extension`);

test.each<[what: string, lines: string[]]>([
  ["cookies of 3,000 bytes", [...BROWSER, cookies(3_000)]],
  ["cookies of 8,000 bytes", [...BROWSER, cookies(8_000)]],
  ["three lines of cookies of 7,000 bytes", [...BROWSER, cookies(7_000), cookies(7_000), cookies(7_000)]],
  ["a user agent of 7,000 bytes", [...BROWSER, `User-Agent: ${"x".repeat(7_000)}`]],
  ["150 headers that nobody reads", [...BROWSER, ...many]],
])("whatever else a browser sends, its upgrade succeeds: %s", async (_what, lines) => {
  for (const credentials of [bearer(), offer("casino.v1", `bearer.${player.token}`)]) {
    const answer = await askForUpgrade(servers.url, [...UPGRADE, ...lines, credentials]);
    expect(answer).toMatchObject({ status: 101, frame: READY });
  }
});

test("the gateway itself takes more than nginx does, so that it is nginx that refuses", async () => {
  const answer = await askForUpgrade(gatewayUrl, [
    ...UPGRADE,
    bearer(),
    ...Array.from({ length: 5 }, () => cookies(8_000)),
  ]);
  expect(answer).toMatchObject({ status: 101, frame: READY });
});

test.each<[what: string, lines: () => string[]]>([
  ["the token first", () => [offer(`bearer.${player.token}`), offer("casino.v1")]],
  ["the token last", () => [offer("casino.v1"), offer(`bearer.${player.token}`)]],
  ["with others between", () => [offer("x", "y"), offer("casino.v1"), offer("z"), offer(`bearer.${player.token}`)]],
  ["with long cookies", () => [offer("casino.v1"), cookies(8_000), offer(`bearer.${player.token}`), ...BROWSER]],
])("subprotocols in several lines are one list: %s", async (_what, lines) => {
  for (const url of [servers.url, gatewayUrl]) {
    const answer = await askForUpgrade(url, [...UPGRADE, ...lines()]);
    expect(answer).toMatchObject({ status: 101, headers: { "sec-websocket-protocol": "casino.v1" }, frame: READY });
  }
});

const long = (length: number) => "x".repeat(length);
test.each<[what: string, line: string]>([
  ["Authorization", `Authorization: Bearer ${long(ACCESS_TOKEN_LENGTH_MAX + 1)}`],
  ["Authorization, 8,000 characters", `Authorization: Bearer ${long(8_000)}`],
  ["subprotocols", offer("casino.v1", `bearer.${long(ACCESS_TOKEN_LENGTH_MAX + 1)}`)],
  ["subprotocols, 8,000 characters", offer("casino.v1", `bearer.${long(8_000)}`)],
])("a token above the bound is refused as everywhere: %s", async (_what, line) => {
  const frame = { closeCode: 4401, reason: "token_too_long" };
  for (const url of [servers.url, gatewayUrl]) {
    expect(await askForUpgrade(url, [...UPGRADE, line])).toMatchObject({ status: 101, frame });
  }
});

test("a long cursor is refused as any that is none", async () => {
  const query = `?cursor=${"a".repeat(7_000)}`;
  const frame = { text: '{"type":"error","code":"invalid_cursor"}' };
  for (const url of [servers.url, gatewayUrl]) {
    expect(await askForUpgrade(url, [...UPGRADE, bearer()], { query })).toMatchObject({ status: 101, frame });
  }
});

test("a body of the upgrade is not taken for frames", async () => {
  const lines = [...UPGRADE, bearer(), "Content-Length: 5"];
  for (const url of [servers.url, gatewayUrl]) {
    expect(await askForUpgrade(url, lines, { body: "hello" })).toMatchObject({ status: 426 });
  }
});

test("what is no upgrade is answered with a problem document, whatever its body", async () => {
  for (const body of ["", "{}", "x".repeat(70_000)]) {
    const answer = await fetch(`${servers.url}/notifications/ws`, { method: "POST", body });
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: "route_not_found" }]);
  }
  const head = await fetch(`${servers.url}/notifications/ws`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([404, ""]);
  const plain = await fetch(`${servers.url}/notifications/ws`);
  const problem = (await plain.json()) as { requestId: string };
  expect([plain.status, problem]).toMatchObject([426, { code: "upgrade_required" }]);
  expect(problem.requestId).toBe(plain.headers.get("x-request-id"));
});
