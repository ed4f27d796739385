import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { type Account, assign, claim, createPromotion, registerPlayer, registerStaff } from "../support/api.ts";
import { listProcesses } from "../support/control.ts";
import { exchange, RawConnection, rawRequest } from "../support/raw-http.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

/** Requests of the hostile client at once, each answered before its body was wanted. */
const HOSTILE_REQUESTS = 8;
/** Answers that the honest must have got after each of its attacks: enough to meet every connection that nginx keeps. */
const HONEST_ANSWERS = 120;
const HONEST_CLIENTS = 4;

const ASSIGN = `POST /promotions/api/v1/promotions/${newId()}/assign`;
const JSON_TYPE = "Content-Type: application/json";
/** Below nginx's limits, far above what fits into buffers on the way. */
const LARGE = "x".repeat(390_000);
/** Below the services' limit of 64 KiB. */
const SMALL = "x".repeat(60_000);
/** Between that and nginx's. */
const MEDIUM = "x".repeat(79_000);

let staff: Account;
let player: Account;
let honest: Honest;
let slow: Slow[];
beforeAll(async () => {
  [staff, player] = await Promise.all([registerStaff(), registerPlayer()]);
  honest = await startHonest();
  slow = await Promise.all(SLOW.map(openSlow));
});
afterAll(async () => {
  await honest.stop();
  for (const { connection } of slow) connection.close();
});

interface Honest {
  answered: number;
  failures: string[];
  stop(): Promise<void>;
}

/** Requests of every service that must all succeed, one after the other from each of a few clients. */
async function startHonest(): Promise<Honest> {
  const promotion = await createPromotion(staff.token);
  await assign(staff.token, promotion.id, [player.id]);
  await claim(player, promotion.id);
  const claimed = { method: "POST", body: JSON.stringify({ promotionId: promotion.id }) };
  const requests: [number, string, RequestInit][] = [
    [200, "/promotions/api/v1/promotions/claim", claimed],
    [200, "/users/api/v1/users/me", {}],
    [200, "/notifications/api/v1/notifications", {}],
    [204, "/notifications/api/v1/notifications/read-all", { method: "POST" }],
    [204, "/users/api/v1/auth/logout", { method: "POST", body: "{}" }],
    [426, "/notifications/ws", {}],
  ];
  const headers = { authorization: `Bearer ${player.token}`, "content-type": "application/json" };
  const report = { answered: 0, failures: [] as string[] };
  let isOver = false;
  const clients = Array.from({ length: HONEST_CLIENTS }, async (_, client) => {
    for (let turn = client; !isOver; turn++) {
      const [status, path, init] = requests[turn % requests.length] as (typeof requests)[number];
      const fail = (what: unknown) => report.failures.push(`${new Date().toISOString()} ${path}: ${what}`);
      try {
        const answer = await fetch(servers.url + path, { headers, ...init, signal: AbortSignal.timeout(20_000) });
        const text = await answer.text();
        if (answer.status !== status) fail(`${answer.status} ${text}`);
      } catch (error) {
        fail((error as Error).cause ?? error);
      }
      report.answered++;
      await delay(2);
    }
  });
  const stop = async () => {
    isOver = true;
    await Promise.all(clients);
  };
  return Object.assign(report, { stop });
}

interface Kind {
  target: string;
  headers?: string[];
  token?: () => string;
  body?: string;
}

describe("a hostile client whose large bodies are answered early harms nobody", () => {
  test.each<[string, number, Kind]>([
    ["without a token", 401, { target: ASSIGN, headers: [JSON_TYPE] }],
    ["with a token that is none", 401, { target: ASSIGN, headers: [JSON_TYPE], token: () => "x" }],
    ["with a player's token", 403, { target: ASSIGN, headers: [JSON_TYPE], token: () => player.token }],
    [
      "to an id that is none",
      400,
      { target: ASSIGN.replace(/[^/]+\/assign/, "x/assign"), headers: [JSON_TYPE], token: () => staff.token },
    ],
    ["with a query that is none", 400, { target: `${ASSIGN}?a=b`, headers: [JSON_TYPE], token: () => staff.token }],
    ["of another type", 415, { target: ASSIGN, headers: ["Content-Type: text/plain"] }],
    ["in another encoding", 415, { target: ASSIGN, headers: [JSON_TYPE, "Content-Encoding: gzip"] }],
    [
      "that are too large for the service",
      413,
      { target: "POST /users/api/v1/auth/login", headers: [JSON_TYPE], body: MEDIUM },
    ],
    ["that are too large for nginx", 413, { target: "POST /users/api/v1/auth/login", headers: [JSON_TYPE] }],
    ["to a path that is none", 404, { target: "POST /notifications/nothing", headers: [JSON_TYPE], body: SMALL }],
    [
      "with a method that is not taken",
      404,
      { target: "DELETE /users/api/v1/users/me", headers: [JSON_TYPE], body: SMALL },
    ],
    ["with a method that is none", 400, { target: "FOO /users/api/v1/users/me", headers: [JSON_TYPE], body: MEDIUM }],
    ["with a header that is none", 400, { target: ASSIGN, headers: [JSON_TYPE, "X-A: a\x01b"] }],
    ["of a GET", 401, { target: "GET /users/api/v1/users/me", body: MEDIUM }],
    ["to the gateway", 404, { target: "POST /notifications/ws", body: MEDIUM }],
  ])("%s: %i", async (_what, status, { target, headers = [], token, body = LARGE }) => {
    const authorization = token === undefined ? [] : [`Authorization: Bearer ${token()}`];
    const attack = (isChunked: boolean) => {
      const text = rawRequest(target, { headers: [...headers, ...authorization], body, isChunked });
      return Array.from({ length: HOSTILE_REQUESTS / 2 }, () => exchange(servers.url, text));
    };
    const failuresBefore = honest.failures.length;
    const answers = await Promise.all([...attack(false), ...attack(true)]);
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => status));
    for (const answer of answers) expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const enough = honest.answered + HONEST_ANSWERS;
    await until("the honest have met every connection", () => honest.answered >= enough);
    expect(honest.failures.slice(failuresBefore)).toEqual([]);
  });

  test("that break off in the middle", async () => {
    const failuresBefore = honest.failures.length;
    for (const isChunked of [false, true]) {
      const text = rawRequest(ASSIGN, { headers: [JSON_TYPE], body: LARGE, isChunked });
      for (const share of [0.1, 0.4, 0.7, 1]) {
        const connection = await RawConnection.open(servers.url);
        connection.send(text.slice(0, share * text.length - 1));
        await connection.flushed();
        connection.close();
      }
    }
    const enough = honest.answered + HONEST_ANSWERS;
    await until("the honest have met every connection", () => honest.answered >= enough);
    expect(honest.failures.slice(failuresBefore)).toEqual([]);
  });
});

interface Slow {
  connection: RawConnection;
  openedAt: number;
  /** What it is answered, and after how many milliseconds. */
  outcome: Promise<{ status: number | undefined; code: string | undefined; closedAfterMs: number }>;
}

const LOGIN = "POST /users/api/v1/auth/login";
/** A byte a fifth of a second; what they are answered; whether they ask a service directly. */
const SLOW: [what: string, status: number | undefined, code: string | undefined, text: string, isDirect?: boolean][] = [
  [
    "a body that is wanted",
    408,
    "request_timeout",
    rawRequest(LOGIN, { headers: [JSON_TYPE, "Content-Length: 60000"] }),
  ],
  [
    "chunks",
    408,
    "request_timeout",
    `${rawRequest(LOGIN, { headers: [JSON_TYPE, "Transfer-Encoding: chunked"] })}ea60\r\n`,
  ],
  [
    "a body of who is refused",
    401,
    "token_missing",
    rawRequest(ASSIGN, { headers: [JSON_TYPE, "Content-Length: 390000"] }),
  ],
  [
    "a body that nginx refuses",
    404,
    "not_found",
    rawRequest("POST /nothing", { headers: [JSON_TYPE, "Content-Length: 60000"] }),
  ],
  ["headers", undefined, undefined, `${LOGIN} HTTP/1.1\r\nHost: a\r\nX-A: `],
  [
    "a body, at the service",
    408,
    "request_timeout",
    rawRequest("POST /api/v1/auth/login", { headers: [JSON_TYPE, "Content-Length: 60000"] }),
    true,
  ],
  ["headers, at the service", 408, "request_timeout", "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nX-A: ", true],
];
/** 20 s for a body (lib/http/body.ts), 10 s for headers at a service, and what it takes to notice and to close. */
const SLOW_MS_MAX = 35_000;

async function openSlow([, , , text, isDirect]: (typeof SLOW)[number]): Promise<Slow> {
  const port = (await listProcesses()).find(({ name }) => name === "users-1")?.port;
  const connection = await RawConnection.open(isDirect ? `http://127.0.0.1:${port}` : servers.url);
  const openedAt = Date.now();
  connection.send(text);
  const drip = setInterval(() => connection.send("x"), 200);
  const outcome = connection.untilClosed(SLOW_MS_MAX).then(async () => {
    clearInterval(drip);
    const answer = connection.received === "" ? undefined : await connection.answer();
    return { status: answer?.status, code: answer?.body.code, closedAfterMs: Date.now() - openedAt };
  });
  outcome.catch(() => {}); // its test says so
  return { connection, openedAt, outcome };
}

// Last, since they take that long.
test.each(SLOW.map(([what, status, code], index) => ({ what, status, code, index })))(
  "slow bytes of $what: answered in time, and the connection ends",
  async ({ status, code, index }) => {
    const outcome = await slow[index]?.outcome;
    expect(outcome).toMatchObject({ status, code });
  },
);

test("nobody was harmed by those that came slowly", () => {
  expect(honest.failures).toEqual([]);
});
