import { generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { ACCESS_TOKEN_LENGTH_MAX } from "../../lib/auth/tokens.ts";
import { newId } from "../../lib/ids.ts";
import {
  type Account,
  api,
  createPromotion,
  freshEmail,
  PASSWORD,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { createRefusals } from "../support/refusals.ts";
import { openSocket } from "../support/socket.ts";

let staff: Account;
let player: Account;
let other: Account;
let promotion: { id: string };
let expectRefused: ReturnType<typeof createRefusals>;
beforeAll(async () => {
  staff = await registerStaff();
  [player, other] = await Promise.all([registerPlayer(), registerPlayer()]);
  expectRefused = createRefusals(staff, player);
  promotion = await createPromotion(staff.token);
});

describe("a promotion that does not fit is refused and changes nothing", () => {
  test.each<[string, Record<string, unknown>, string?]>([
    ["a negative amount", { amountMinor: -1 }],
    ["an amount of zero", { amountMinor: 0 }],
    ["a fractional amount", { amountMinor: 10.5 }],
    ["an amount as text", { amountMinor: "2000" }],
    ["a huge amount", { amountMinor: 1e15 }],
    ["an amount beyond every number", { amountMinor: 1e308 }],
    ["an unknown type", { type: "FREE_MONEY" }],
    ["an unknown field", { isAdmin: true }],
    ["a status it can't be created with", { status: "ended" }],
    ["an empty title", { title: "  " }],
    ["a title with NUL", { title: "a\0b" }],
    ["a long title", { title: "x".repeat(121) }],
    ["a time that is none", { startsAt: "tomorrow" }],
    ["a date without time", { endsAt: "2030-01-01" }],
    ["a time in the year 12000", { endsAt: "+012000-01-01T00:00:00Z" }],
    ["null", { title: null }],
    ["an end before the start", { startsAt: "2030-02-01T00:00:00Z", endsAt: "2030-01-01T00:00:00Z" }, "window_invalid"],
    ["an empty window", { startsAt: "2030-01-01T00:00:00Z", endsAt: "2030-01-01T00:00:00Z" }, "window_invalid"],
    ["another currency", { currency: "USD" }, "currency_not_supported"],
    ["a currency that is none", { currency: "euro" }],
    ["a code of three", { code: "a b c" }],
    ["a code of 33", { code: "A".repeat(33) }],
    ["a code with other characters", { code: "WELCOME_20" }],
    ["a code with a Cyrillic look-alike", { code: "WELC\u041eME" }],
    ["a code with a letter that is an S in capitals", { code: "\u017fUMMER" }],
    ["a code with full-width digits", { code: "SUMMER\uff12\uff10" }],
    ["a code with a character that can't be seen", { code: "SUM\u200bMER" }],
    ["a code, and one to be generated", { code: "SUMMER", generateCode: true }],
  ])("%s", async (_what, overrides, code = "validation_failed") => {
    const answer = await expectRefused(400, code, () =>
      api("POST /promotions/api/v1/promotions", { token: staff.token, json: promotionInput(overrides) }),
    );
    expect(answer.body.errors.length).toBeGreaterThan(0);
  });

  test("a missing field", async () => {
    const { title: _title, ...json } = promotionInput();
    const answer = await expectRefused(400, "validation_failed", () =>
      api("POST /promotions/api/v1/promotions", { token: staff.token, json }),
    );
    expect(answer.body.errors[0].path).toBe("body.title");
  });
});

describe("a body that is not what it should be", () => {
  const send = (request: Parameters<typeof api>[1]) =>
    api("POST /promotions/api/v1/promotions", { token: staff.token, ...request });

  test("malformed JSON", () => expectRefused(400, "malformed_json", () => send({ raw: '{"title": ' })));
  test("an array", () => expectRefused(400, "validation_failed", () => send({ json: [] })));
  test("a missing body", () =>
    expectRefused(400, "malformed_json", () => send({ headers: { "content-type": "application/json" } })));
  test("no body and no type", () => expectRefused(400, "validation_failed", () => send({})));
  test("not declared as JSON", () =>
    expectRefused(415, "unsupported_media_type", () =>
      send({ raw: "title=x", headers: { "content-type": "text/plain" } }),
    ));
  test("larger than 64 KiB", () =>
    expectRefused(413, "payload_too_large", () => send({ json: promotionInput({ description: "x".repeat(66_000) }) })));
  test("an assignment larger than 1 MiB", () =>
    expectRefused(413, "payload_too_large", () =>
      api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, {
        token: staff.token,
        raw: `{"playerIds": [${" ".repeat(1_048_700)}]}`,
      }),
    ));
  test("an assignment of 10,001 players", () =>
    expectRefused(400, "validation_failed", () =>
      api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, {
        token: staff.token,
        json: { playerIds: Array.from({ length: 10_001 }, newId) },
      }),
    ));
  test("an assignment of nobody", () =>
    expectRefused(400, "validation_failed", () =>
      api(`POST /promotions/api/v1/promotions/${promotion.id}/assign`, { token: staff.token, json: { playerIds: [] } }),
    ));
});

describe("tokens", () => {
  const claims = (subject: string) => ({ sub: subject, role: "admin", sid: newId() });
  const forged = async (
    header: { alg: string; typ?: string },
    changes: { aud?: string; iss?: string; exp?: number },
  ) => {
    const { privateKey } = await generateKeyPair("EdDSA");
    return new SignJWT({ ...claims(player.id), iat: Math.floor(Date.now() / 1000) })
      .setProtectedHeader({ typ: "at+jwt", ...header })
      .setIssuer(changes.iss ?? "casino-users")
      .setAudience(changes.aud ?? "casino")
      .setExpirationTime(changes.exp ?? "10m")
      .sign(privateKey);
  };
  test.each<[string, string, () => Promise<string | undefined>]>([
    ["none", "token_missing", async () => undefined],
    ["malformed", "token_invalid", async () => "not-a-token"],
    ["longer than any of ours", "token_too_long", async () => "x".repeat(ACCESS_TOKEN_LENGTH_MAX + 1)],
    [
      "unsigned (alg none)",
      "token_invalid",
      async () =>
        new UnsecuredJWT(claims(player.id))
          .setIssuer("casino-users")
          .setAudience("casino")
          .setExpirationTime("10m")
          .encode(),
    ],
    ["signed with a key that is not ours", "token_invalid", () => forged({ alg: "EdDSA" }, {})],
    [
      "with its role changed",
      "token_invalid",
      async () => {
        const [header, body, signature] = player.token.split(".") as [string, string, string];
        const payload = { ...JSON.parse(Buffer.from(body, "base64url").toString()), role: "admin" };
        return [header, Buffer.from(JSON.stringify(payload)).toString("base64url"), signature].join(".");
      },
    ],
  ])("%s: 401 from every service", async (_what, code, makeToken) => {
    const token = await makeToken();
    for (const route of [
      "GET /users/api/v1/users/me",
      "GET /promotions/api/v1/promotions",
      "GET /notifications/api/v1/notifications",
    ]) {
      const answer = await api(route, { token });
      expect(answer).toMatchObject({ status: 401, body: { code } });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test("an Authorization header of another scheme", async () => {
    const answer = await api("GET /users/api/v1/users/me", { headers: { authorization: "Basic YTpi" } });
    expect(answer).toMatchObject({ status: 401, body: { code: "token_invalid" } });
  });
});

describe("a player is no member of staff and no other player", () => {
  test.each<[string, () => string, unknown?]>([
    ["create a promotion", () => "POST /promotions/api/v1/promotions", promotionInput()],
    ["list promotions", () => "GET /promotions/api/v1/promotions"],
    ["change a promotion", () => `PATCH /promotions/api/v1/promotions/${promotion.id}`, { status: "ended" }],
    ["assign", () => `POST /promotions/api/v1/promotions/${promotion.id}/assign`, { playerIds: [newId()] }],
    ["search users", () => "GET /users/api/v1/users"],
    ["look a user up", () => `GET /users/api/v1/users/${other.id}`],
    ["read a user's transactions", () => `GET /users/api/v1/users/${other.id}/transactions`],
    ["suspend", () => `PATCH /users/api/v1/users/${other.id}/status`, { status: "suspended", reason: "envy" }],
    ["make staff", () => "POST /users/api/v1/auth/register-staff", { email: freshEmail(), password: PASSWORD }],
  ])("%s: 403", async (_what, route, json) => {
    await expectRefused(403, "role_not_allowed", () => api(route(), { token: player.token, json }));
  });

  test("another player's promotions: 403", () =>
    expectRefused(403, "not_your_account", () =>
      api(`GET /promotions/api/v1/promotions/players/${other.id}`, { token: player.token }),
    ));

  test("staff make no staff: 403", () =>
    expectRefused(403, "role_not_allowed", () =>
      api("POST /users/api/v1/auth/register-staff", {
        token: staff.token,
        json: { email: freshEmail(), password: PASSWORD },
      }),
    ));

  test("staff can't claim: 403", () =>
    expectRefused(403, "role_not_allowed", () =>
      api("POST /promotions/api/v1/promotions/claim", { token: staff.token, json: { promotionId: promotion.id } }),
    ));
});

describe("ids, cursors and queries", () => {
  test.each<[number, string, string]>([
    [400, "validation_failed", "GET /promotions/api/v1/promotions/not-a-uuid"],
    [404, "promotion_not_found", `GET /promotions/api/v1/promotions/${newId()}`],
    [404, "user_not_found", `GET /users/api/v1/users/${newId()}`],
    [400, "invalid_cursor", "GET /promotions/api/v1/promotions?cursor=abc"],
    [400, "invalid_cursor", "GET /users/api/v1/users?cursor=W10"],
    [400, "invalid_cursor", "GET /notifications/api/v1/notifications?cursor=!!"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?limit=0"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?limit=101"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?limit=ten"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?status=gone"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?colour=red"],
    [400, "validation_failed", "GET /promotions/api/v1/promotions?activeAt=now"],
    [404, "route_not_found", "GET /promotions/api/v1/nothing"],
    [404, "route_not_found", "DELETE /users/api/v1/users/me"],
  ])("%i %s: %s", async (status, code, route) => {
    await expectRefused(status, code, () => api(route, { token: staff.token }));
  });

  test("an unknown query parameter of a route that takes none: 400", () =>
    expectRefused(400, "validation_failed", () =>
      api("POST /promotions/api/v1/promotions?dryRun=1", { token: staff.token, json: promotionInput() }),
    ));

  test("claiming what was never assigned: 404", () =>
    expectRefused(404, "promotion_not_assigned", () =>
      api("POST /promotions/api/v1/promotions/claim", { token: player.token, json: { promotionId: promotion.id } }),
    ));

  test("reading another player's notification: 404", () =>
    expectRefused(404, "notification_not_found", () =>
      api(`POST /notifications/api/v1/notifications/${newId()}/read`, { token: player.token }),
    ));
});

describe("accounts", () => {
  test.each<[string, unknown]>([
    ["no e-mail", { email: "nobody", password: PASSWORD }],
    ["a short password", { email: freshEmail(), password: "short" }],
    ["a password of a megabyte", { email: freshEmail(), password: "x".repeat(60_000) }],
    ["a role", { email: freshEmail(), password: PASSWORD, role: "admin" }],
    ["a number for a password", { email: freshEmail(), password: 123456789012 }],
  ])("registration with %s is refused", async (_what, json) => {
    await expectRefused(400, "validation_failed", () => api("POST /users/api/v1/auth/register", { json }));
  });

  test("an e-mail that is taken, in whatever case: 409", () =>
    expectRefused(409, "email_taken", () =>
      api("POST /users/api/v1/auth/register", { json: { email: player.email.toUpperCase(), password: PASSWORD } }),
    ));

  test("a wrong password and an unknown e-mail get the same answer", async () => {
    const wrong = await api("POST /users/api/v1/auth/login", {
      json: { email: player.email, password: "wrong-password-1" },
    });
    const unknown = await api("POST /users/api/v1/auth/login", { json: { email: freshEmail(), password: PASSWORD } });
    expect(wrong).toMatchObject({ status: 401, body: { code: "invalid_credentials" } });
    expect({ ...unknown.body, requestId: "" }).toEqual({ ...wrong.body, requestId: "" });
  });

  test("a refresh token that is none: 401", async () => {
    const answer = await api("POST /users/api/v1/auth/refresh", { json: { refreshToken: "nonsense" } });
    expect(answer).toMatchObject({ status: 401, body: { code: "refresh_token_invalid" } });
  });
});

describe("the WebSocket", () => {
  test.each([
    ["no token", undefined],
    ["a token that is none", "nonsense"],
  ])("%s: closed with 4401", async (_what, token) => {
    const socket = await openSocket(token);
    expect(await socket.untilClosed()).toBe(4401);
    expect(socket.frames).toEqual([]);
  });

  test("frames that are none are answered with an error, and the connection goes on", async () => {
    const socket = await openSocket(player.token);
    await socket.untilReady();
    for (const raw of ["not json", "[]", '{"type":"dance"}', '{"type":"read"}', '{"type":"read","id":"x","more":1}']) {
      socket.sendRaw(raw);
    }
    socket.sendRaw(Buffer.from([0, 1, 2]));
    socket.send({ type: "read", id: newId() });
    await socket.next("the unknown notification is refused", ({ code }) => code === "notification_not_found");
    expect(socket.frames.filter(({ code }) => code === "invalid_frame")).toHaveLength(6);
    expect(socket.closeCode).toBeUndefined();
    socket.close();
  });

  test("an oversized frame closes the connection", async () => {
    const socket = await openSocket(player.token);
    await socket.untilReady();
    socket.sendRaw("x".repeat(100_000));
    expect([1006, 1009]).toContain(await socket.untilClosed());
  });

  test("a cursor that is none is said, and the unread ones come as without it", async () => {
    const socket = await openSocket(player.token, { cursor: "nonsense" });
    await socket.next("the cursor is refused", ({ code }) => code === "invalid_cursor");
    expect(await socket.untilReady()).toMatchObject({ recovered: false });
    socket.close();
  });
});

test("a 5xx or 4xx never shows more than the problem document, and a client's request id comes back", async () => {
  const answer = await api("GET /users/api/v1/users/me", { headers: { "x-request-id": "ticket-4711" } });
  expect(answer.body.requestId).toBe("ticket-4711");
});
