import { beforeAll, describe, expect, test } from "vitest";
import { encodePosition, START } from "../../domain/notifications/position.ts";
import { cursorsOf } from "../../lib/cursor.ts";
import { newId } from "../../lib/ids.ts";
import {
  type Account,
  api,
  createPromotion,
  PASSWORD,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { createRefusals } from "../support/refusals.ts";
import { servers } from "../support/servers.ts";
import { openSocket } from "../support/socket.ts";

let staff: Account;
let player: Account;
let expectRefused: ReturnType<typeof createRefusals>;
beforeAll(async () => {
  [staff, player] = await Promise.all([registerStaff(), registerPlayer()]);
  expectRefused = createRefusals(staff, player);
});

const PROMOTIONS = "/promotions/api/v1/promotions";
const create = (raw: string) => api(`POST ${PROMOTIONS}`, { token: staff.token, raw });
/** A promotion as JSON text, with one field written in its own way. */
const promotionText = (field: string, written: string) => {
  const { [field]: _, ...others } = promotionInput() as Record<string, unknown>;
  return `${JSON.stringify(others).slice(0, -1)},"${field}":${written}}`;
};

describe("a body says exactly what it says:", () => {
  test.each([
    ["amountMinor", "1999.9999999999999999"],
    ["amountMinor", "2000.0000000000000001"],
    ["amountMinor", "9007199254740993"],
    ["amountMinor", "1e400"],
    ["amountMinor", "0.99999999999999999999"],
    ["title", '"\\ud800"'],
    ["title", '"Half \\udfff a pair"'],
    ["title", '"\\u200b\\u2060\\ufeff"'],
    ["description", '"\\u202e\\u2066 \\u3164"'],
    ["startsAt", '"2026-12-31T23:59:60Z"'],
  ])("%s may not be %s", async (field, written) => {
    const answer = await expectRefused(400, "validation_failed", () => create(promotionText(field, written)));
    expect(answer.body.errors[0].path).toBe(`body.${field}`);
  });

  test("a field may not come twice", () =>
    expectRefused(400, "malformed_json", () => create(promotionText("title", '"a","amountMinor":1'))));

  test.each(["2000.0", "2e3", "20000e-1"])("%s is the amount 2000", async (written) => {
    expect(await create(promotionText("amountMinor", written))).toMatchObject({
      status: 201,
      body: { amountMinor: 2000 },
    });
  });

  test("what can be seen comes back as it was sent", async () => {
    const title = `👩‍👩‍👧 e\u0301 می‌خواهم \ufffd ${newId()}`;
    expect((await createPromotion(staff.token, { title })).title).toBe(title);
  });

  test("T and Z may be in lower case", async () => {
    const endsAt = new Date(Date.now() + 86_400_000).toISOString();
    expect((await createPromotion(staff.token, { endsAt: endsAt.toLowerCase() })).endsAt).toBe(endsAt);
  });

  test.each(['"\\ud800"', '"\\u200b"'])("the reason of a change of status may not be %s", async (reason) => {
    const raw = `{"status":"suspended","reason":${reason}}`;
    await expectRefused(400, "validation_failed", () =>
      api(`PATCH /users/api/v1/users/${player.id}/status`, { token: staff.token, raw }),
    );
  });
});

describe("a promotion whose window is over", () => {
  const over = () => {
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    return { startsAt: ago(2_000), endsAt: ago(1_000) };
  };

  test("can't be created active", () =>
    expectRefused(400, "window_invalid", () =>
      api(`POST ${PROMOTIONS}`, { token: staff.token, json: promotionInput(over()) }),
    ));

  test("can be a draft, and not be activated", async () => {
    const { id } = await createPromotion(staff.token, { ...over(), status: "draft" });
    await expectRefused(409, "promotion_status_forbidden", () =>
      api(`PATCH ${PROMOTIONS}/${id}`, { token: staff.token, json: { status: "active" } }),
    );
  });
});

describe("lists", () => {
  const LISTS: Record<string, { path: () => string; cursor: () => string }> = {
    promotions: { path: () => PROMOTIONS, cursor: () => cursorsOf("promotions").encode(newId()) },
    "a player's promotions": {
      path: () => `${PROMOTIONS}/players/${player.id}`,
      cursor: () => cursorsOf(`player-promotions/${player.id}`).encode(newId()),
    },
    users: { path: () => "/users/api/v1/users", cursor: () => cursorsOf("users").encode(newId()) },
    "a user's transactions": {
      path: () => `/users/api/v1/users/${player.id}/transactions`,
      cursor: () => cursorsOf(`transactions/${player.id}`).encode(newId()),
    },
    "own transactions": {
      path: () => "/users/api/v1/transactions",
      cursor: () => cursorsOf(`transactions/${staff.id}`).encode(newId()),
    },
    notifications: {
      path: () => "/notifications/api/v1/notifications",
      cursor: () => encodePosition(START),
    },
  };
  const get = (name: string, query: string) => api(`GET ${LISTS[name]?.path()}?${query}`, { token: staff.token });

  test.each(Object.keys(LISTS))(
    "%s: only the list's own cursors are taken, and only as they were given",
    async (name) => {
      for (const [other, { cursor }] of Object.entries(LISTS)) {
        const answer = await get(name, `cursor=${cursor()}`);
        if (other !== name) expect(answer).toMatchObject({ status: 400, body: { code: "invalid_cursor" } });
        // Staff may be told that we have not heard of the player yet.
        else expect([200, 404]).toContain(answer.status);
        for (const end of ["A", "%0a", "=", "%20"]) {
          expect(await get(name, `cursor=${cursor()}${end}`)).toMatchObject({
            status: 400,
            body: { code: "invalid_cursor" },
          });
        }
      }
    },
  );

  test.each(Object.keys(LISTS))("%s: a limit is decimal digits", async (name) => {
    for (const limit of ["0x10", "1e1", "%2B5", "+5", "%205", "5%20", "5.0", "-1"]) {
      expect(await get(name, `limit=${limit}`)).toMatchObject({ status: 400, body: { code: "validation_failed" } });
    }
  });

  test.each(Object.keys(LISTS))("%s: a query is percent-encoded UTF-8", async (name) => {
    for (const query of ["cursor=%E9", "q=Caf%E9", "q=%ED%A0%80", "q=100%", "%ff=1"]) {
      const answer = await get(name, query);
      expect(answer).toMatchObject({ status: 400, body: { code: "validation_failed" } });
      expect(answer.body.errors[0]).toMatchObject({ path: "query", code: "invalid_encoding" });
    }
  });

  test("a player who does not exist has none, for staff", async () => {
    const paths = [`${PROMOTIONS}/players/${newId()}`, `/users/api/v1/users/${newId()}/transactions`];
    for (const path of paths) expect((await api(`GET ${path}`, { token: staff.token })).status).toBe(404);
    const own = await api(`GET ${PROMOTIONS}/players/${player.id}`, { token: player.token });
    expect(own.status).toBe(200);
  });

  test("the WebSocket takes no other list's cursor", async () => {
    for (const cursor of [cursorsOf("promotions").encode(newId()), `${encodePosition([1, newId()])}A`]) {
      const socket = await openSocket(player.token, { cursor });
      await socket.next("the cursor is refused", ({ code }) => code === "invalid_cursor");
      expect(await socket.untilReady()).toMatchObject({ recovered: false });
      socket.close();
    }
  });
});

describe("paths", () => {
  test.each<[string, number, string]>([
    ["GET /users/api/v1/users/me%0a", 400, "validation_failed"],
    ["GET /users/api/v1/users/m%0ae", 400, "validation_failed"],
    ["GET /users/api/v1/users/%E9", 400, "validation_failed"],
    ["GET /users/api/v1/transactions%0a", 404, "route_not_found"],
    ["GET /users/api/v1/tran%0asactions", 404, "route_not_found"],
    ["GET /promotions/api/v1/promotions%0a", 404, "route_not_found"],
    ["GET /notifications/api/v1/notifications%0a", 404, "route_not_found"],
    ["GET /notifications/ws%0a", 404, "route_not_found"],
    [`POST /promotions/api/v1/promotions/${newId()}/assign%0a`, 404, "route_not_found"],
    ["POST /users/api/v1/auth/logout-all%0a", 404, "route_not_found"],
  ])("a line break is a part of its path: %s", async (route, status, code) => {
    await expectRefused(status, code, () => api(route, { token: staff.token }));
  });

  test.each(["users", "promotions", "notifications"])(
    "%s leads to its documentation, under any prefix",
    async (service) => {
      for (const path of [`/${service}`, `/${service}/`, `/${service}/api-docs/`]) {
        const answer = await fetch(servers.url + path, { redirect: "manual" });
        expect(answer.status).toBe(302);
        const location = answer.headers.get("location") as string;
        const outside = `https://casino.example/behind/another/proxy${path}`;
        expect(new URL(location, outside).href).toBe(`https://casino.example/behind/another/proxy/${service}/api-docs`);
        const page = await fetch(new URL(location, servers.url + path));
        expect(page.status).toBe(200);
        expect(await page.text()).toContain("swagger-ui");
      }
    },
  );
});

describe("one person, one account", () => {
  const login = (email: string, password: string) =>
    api("POST /users/api/v1/auth/login", { json: { email, password } });
  const register = (json: unknown) => api("POST /users/api/v1/auth/register", { json });

  test("an address is one, its domain in Unicode or in punycode", async () => {
    const name = `ada-${newId()}`;
    const stored = `${name}@xn--bcher-kva.example`;
    const player = await register({ email: `${name}@Bücher.example`, password: PASSWORD });
    expect(player).toMatchObject({ status: 201, body: { email: stored } });
    for (const typed of [stored, `${name}@bu\u0308cher.EXAMPLE`, `${name}@XN--BCHER-KVA.example`]) {
      expect(await register({ email: typed, password: PASSWORD })).toMatchObject({ status: 409 });
      expect((await login(typed, PASSWORD)).status).toBe(200);
      const found = await api(`GET /users/api/v1/users?q=${encodeURIComponent(typed)}`, { token: staff.token });
      expect(found.body.data.map(({ id }: { id: string }) => id)).toEqual([player.body.id]);
    }
  });

  test.each(["ada@xn--zzzz.com", "ada@a\u200db.com", "ada@bücher", "ada@ex%61mple.com", "ada@\ud800.com"])(
    "%j is no address",
    async (email) => {
      await expectRefused(400, "validation_failed", () => register({ email, password: PASSWORD }));
    },
  );

  test("a password is one, composed or decomposed", async () => {
    const email = `zoe-${newId()}@example.com`;
    const password = "Zoë's caffè at noon";
    expect((await register({ email, password: password.normalize("NFD") })).status).toBe(201);
    expect((await login(email, password.normalize("NFC"))).status).toBe(200);
    expect((await login(email, password.normalize("NFD").replaceAll(" ", "\u2003"))).status).toBe(200);
    expect((await login(email, password.replace("ë", "e"))).status).toBe(401);
  });

  test("a lone surrogate is in no password", async () => {
    const raw = `{"email":"x-${newId()}@example.com","password":"a long password \\ud800"}`;
    await expectRefused(400, "validation_failed", () => api("POST /users/api/v1/auth/register", { raw }));
    await expectRefused(400, "validation_failed", () => api("POST /users/api/v1/auth/login", { raw }));
  });
});
