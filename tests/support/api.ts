import { newId } from "../../lib/ids.ts";
import { expectToFitContract, type Service } from "./contract.ts";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

export interface ApiResponse {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  body: any;
  headers: Headers;
}

export interface ApiRequest {
  token?: string | undefined;
  /** sent as JSON */
  json?: unknown;
  /** sent as it is */
  raw?: string;
  headers?: Record<string, string>;
}

/**
 * One request through nginx. Every response is checked against the service's OpenAPI document.
 *
 * @param route such as "POST /users/api/v1/auth/login"
 */
export async function api(route: string, request: ApiRequest = {}): Promise<ApiResponse> {
  const [method = "GET", target = "/"] = route.split(" ");
  const body = request.raw ?? (request.json === undefined ? undefined : JSON.stringify(request.json));
  const response = await fetch(servers.url + target, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  const contentType = response.headers.get("content-type");
  const parsed = text === "" ? undefined : contentType?.includes("json") ? JSON.parse(text) : text;
  const [, service, path = ""] = /^\/([a-z]+)(\/[^?]*)/.exec(target) ?? [];
  await expectToFitContract(
    service as Service,
    { method, path },
    { status: response.status, contentType, body: parsed },
  );
  return { status: response.status, body: parsed, headers: response.headers };
}

export interface Account {
  id: string;
  email: string;
  password: string;
  token: string;
}

export const PASSWORD = "a-long-enough-password";

export const freshEmail = (prefix = "player") => `${prefix}-${newId()}@example.com`;

/** Logs in; fails the test unless it works. */
export async function logIn(email: string, password: string): Promise<string> {
  const { status, body } = await api("POST /users/api/v1/auth/login", { json: { email, password } });
  if (status !== 200) throw new Error(`login answered ${status}: ${JSON.stringify(body)}`);
  return body.accessToken;
}

/** A new player, logged in. */
export async function registerPlayer(): Promise<Account> {
  const email = freshEmail();
  const { status, body } = await api("POST /users/api/v1/auth/register", { json: { email, password: PASSWORD } });
  if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.id, email, password: PASSWORD, token: await logIn(email, PASSWORD) };
}

/** The first admin's token. */
export const logInAdmin = () => logIn(servers.admin.email, servers.admin.password);

/** A new member of staff, registered by the first admin and logged in. */
export async function registerStaff(role: "staff" | "admin" = "staff"): Promise<Account> {
  const email = freshEmail(role);
  const { status, body } = await api("POST /users/api/v1/auth/register-staff", {
    token: await logInAdmin(),
    json: { email, password: PASSWORD, role },
  });
  if (status !== 201) throw new Error(`register-staff answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.id, email, password: PASSWORD, token: await logIn(email, PASSWORD) };
}

const DAY_MS = 86_400_000;

/** The body of a promotion that is active now; `overrides` replace single fields. */
export const promotionInput = (overrides: Record<string, unknown> = {}) => ({
  title: `Promotion ${newId()}`,
  description: "Made by a test.",
  type: "BONUS",
  amountMinor: 2000,
  currency: "EUR",
  startsAt: new Date(Date.now() - DAY_MS).toISOString(),
  endsAt: new Date(Date.now() + DAY_MS).toISOString(),
  status: "active",
  ...overrides,
});

/** Creates a promotion; fails the test unless it works. */
export async function createPromotion(staffToken: string, overrides: Record<string, unknown> = {}) {
  const { status, body } = await api("POST /promotions/api/v1/promotions", {
    token: staffToken,
    json: promotionInput(overrides),
  });
  if (status !== 201) throw new Error(`creating a promotion answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** Ends every welcome bonus that holds a window, so that a test can have one of its own. */
export async function endWelcomeBonuses(staffToken: string): Promise<void> {
  for (const status of ["draft", "active", "paused"]) {
    const page = await api(`GET /promotions/api/v1/promotions?type=WELCOME_BONUS&status=${status}&limit=100`, {
      token: staffToken,
    });
    for (const { id } of page.body.data) {
      await api(`PATCH /promotions/api/v1/promotions/${id}`, { token: staffToken, json: { status: "ended" } });
    }
  }
}

/** The only welcome bonus, active from now on. */
export async function createWelcomeBonus(staffToken: string, overrides: Record<string, unknown> = {}) {
  await endWelcomeBonuses(staffToken);
  return createPromotion(staffToken, { type: "WELCOME_BONUS", ...overrides });
}

/** Waits until Promotions has heard of a player, so that staff can assign to them. */
export async function assign(staffToken: string, promotionId: string, playerIds: string[]) {
  return until("Promotions knows the players", async () => {
    const { status, body } = await api(`POST /promotions/api/v1/promotions/${promotionId}/assign`, {
      token: staffToken,
      json: { playerIds },
    });
    if (status !== 200) throw new Error(`assign answered ${status}: ${JSON.stringify(body)}`);
    const isUnknown = body.rejected.some(({ code }: { code: string }) => code === "player_not_found");
    return isUnknown ? undefined : body;
  });
}

/** Waits until a player has a promotion. */
export async function untilAssigned(player: Account, promotionId: string) {
  return until(`player ${player.id} has promotion ${promotionId}`, async () => {
    const { body } = await api(`GET /promotions/api/v1/promotions/players/${player.id}`, { token: player.token });
    return body.data.find((item: { promotion: { id: string } }) => item.promotion.id === promotionId);
  });
}

export const claim = (player: Account, promotionId: string) =>
  api("POST /promotions/api/v1/promotions/claim", { token: player.token, json: { promotionId } });

/** A player's balance in minor units, as they see it. */
export async function balanceOf(player: Account): Promise<number> {
  const { body } = await api("GET /users/api/v1/users/me", { token: player.token });
  return body.balanceMinor;
}
