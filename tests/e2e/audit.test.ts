import { beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import {
  type Account,
  type ApiResponse,
  api,
  assign,
  createPromotion,
  freshEmail,
  logInAdmin,
  PASSWORD,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { askNonsense, type Operation, operationsOf } from "../support/operations.ts";
import { enrolSecondFactor } from "../support/second-factor.ts";
import { servers } from "../support/servers.ts";
import { withUnknownSession } from "../support/tokens.ts";

/** A request that changes something. */
interface Change {
  /** of the path's parameters */
  ids?: string[];
  json?: unknown;
  /** what the same request again does */
  again: "nothing" | "another" | "is refused";
  /** a body that is refused for what is true, not for its form */
  refused?: unknown;
}

/** How each operation of staff changes something, by its id. */
const CHANGES: Record<string, () => Promise<Change>> = {
  "users registerStaff": async () => ({
    json: { email: freshEmail("staff"), password: PASSWORD },
    again: "is refused",
    refused: { email: admin.email, password: PASSWORD },
  }),
  "users changeUserStatus": async () => ({
    ids: [(await registerPlayer()).id],
    json: { status: "suspended", reason: "a test" },
    again: "nothing",
  }),
  "users changeVerification": async () => ({
    ids: [(await registerPlayer()).id],
    json: { verified: true, method: "Identity card", reason: "a test" },
    again: "nothing",
  }),
  "users resetSecondFactor": async () => {
    const account = await registerPlayer();
    await enrolSecondFactor(account);
    return { ids: [account.id], json: { reason: "a test" }, again: "nothing" };
  },
  "promotions createPromotion": async () => ({
    json: promotionInput(),
    again: "another",
    refused: promotionInput({ currency: "USD" }),
  }),
  "promotions updatePromotion": async () => ({
    ids: [(await createPromotion(admin.token)).id],
    json: { status: "paused", title: "Another title" },
    again: "nothing",
    refused: { status: "draft" },
  }),
  "promotions assignPromotion": async () => ({
    ids: [(await createPromotion(admin.token)).id],
    json: { playerIds: [player.id, newId()] },
    again: "nothing",
  }),
  "promotions approvePromotion": async () => ({
    ids: [await submittedPromotion()],
    json: { version: 1 },
    again: "nothing",
    refused: { version: 2 },
  }),
  "promotions rejectPromotion": async () => ({
    ids: [await submittedPromotion()],
    json: { reason: "a test" },
    again: "is refused",
  }),
  "promotions revokeAssignment": async () => {
    const { id } = await createPromotion(admin.token);
    await assign(admin.token, id, [player.id]);
    return { ids: [id, player.id], json: { reason: "a test" }, again: "nothing" };
  },
};

/** One that waits for an approval. The deployment under test has no threshold, so it is made to by hand. */
async function submittedPromotion(): Promise<string> {
  const { id } = await createPromotion(admin.token, { status: "draft" });
  const promotions = connectDatabase({ url: servers.promotionsDatabaseUrl, name: "test", connectionsMax: 1 });
  await promotions.client`update promotions set status = 'pending_approval', edited_by = '{}' where id = ${id}`;
  await promotions.close();
  return id;
}

/** The operations by which staff look at a player's data or search, and the ids in their paths. */
const LOOKS: Record<string, () => string[]> = {
  "users searchUsers": () => [],
  "users getUser": () => [player.id],
  "users listTransactions": () => [player.id],
  "users listAudit": () => [],
  "users exportLedger": () => [],
  "promotions listPlayerPromotions": () => [player.id],
  "promotions listAudit": () => [],
};
/** What staff read without looking at any player; the last one, unless they ask for one. */
const READS_OF_NOBODY = [
  "promotions listPromotions",
  "promotions getPromotion",
  "promotions getPromotionStatistics",
  "promotions listAssignments",
];

const nameOf = ({ service, operationId }: Operation) => `${service} ${operationId}`;

let player: Account;
let admin: Account;
let operations: Operation[];
/** Those that a player is refused for their role. */
const ofStaff: Operation[] = [];
beforeAll(async () => {
  player = await registerPlayer();
  admin = await registerStaff("admin");
  await assign(admin.token, (await createPromotion(admin.token)).id, [player.id]); // until Promotions knows the player
  operations = (await Promise.all(["users", "promotions", "notifications"].map(operationsOf))).flat();
  for (const operation of operations) {
    // Signed for each request: one of them ends all sessions.
    const { token } = await withUnknownSession(player, "player");
    const { body } = await askNonsense(operation, token);
    if (body?.code === "role_not_allowed") ofStaff.push(operation);
  }
});

/** @returns the entries of what somebody did, newest first */
async function entriesBy({ id }: Account, service: string) {
  const { body } = await api(`GET /${service}/api/v1/audit?actorId=${id}&limit=100`, { token: admin.token });
  return body.data;
}

const send = (
  { service, method, path }: Operation,
  { ids = [], json }: Pick<Change, "ids" | "json">,
  by: Account,
  { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<ApiResponse> => {
  const rest = [...ids];
  const filled = path.replace(/\{[^}]+\}/g, () => rest.shift() ?? newId());
  return api(`${method} /${service}${filled}${query}`, { token: by.token, json, headers });
};

test("every operation of staff in every document says what it leaves in the audit", () => {
  const writes = ofStaff.filter(({ method }) => method !== "GET").map(nameOf);
  expect(writes.sort()).toEqual(Object.keys(CHANGES).sort());
  const reads = ofStaff.filter(({ method }) => method === "GET").map(nameOf);
  // This one is a player's too, for themselves.
  const looks = [...reads, "promotions listPlayerPromotions"].filter((name) => !READS_OF_NOBODY.includes(name));
  expect(looks.sort()).toEqual(Object.keys(LOOKS).sort());
});

test("a write of staff that changes something leaves one entry; the same again, a replay, a dry run and a failure none", async () => {
  for (const operation of ofStaff.filter(({ method }) => method !== "GET")) {
    const { service, operationId, parameters, path } = operation;
    const by = await registerStaff("admin");
    const count = async () => (await entriesBy(by, service)).length;
    const change = await (CHANGES[nameOf(operation)] as () => Promise<Change>)();

    expect((await askNonsense(operation, by.token)).status, `${operationId}: nonsense`).toBe(400);
    if (path.includes("{")) {
      const unknown = await send(operation, { json: change.json }, by);
      expect(unknown.status, `${operationId}: an unknown id`).toBe(404);
    }
    if (change.refused !== undefined) {
      const refused = await send(operation, { ...change, json: change.refused }, by);
      expect([400, 403, 409], `${operationId}: refused`).toContain(refused.status);
    }
    if (parameters.includes("dryrun")) {
      const dry = await send(operation, change, by, { query: "?dryRun=true" });
      expect(dry.status, `${operationId}: a dry run`).toBe(200);
    }
    expect(await count(), `${operationId}: nothing has changed`).toBe(0);

    const headers: Record<string, string> = parameters.includes("idempotency-key")
      ? { "idempotency-key": newId() }
      : {};
    const changed = await send(operation, change, by, { headers });
    expect([200, 201, 202, 204], `${operationId}: ${JSON.stringify(changed.body)}`).toContain(changed.status);
    expect(await entriesBy(by, service), operationId).toMatchObject([
      { actorId: by.id, action: operationId, requestId: changed.headers.get("x-request-id") },
    ]);
    if ("idempotency-key" in headers) {
      const replay = await send(operation, change, by, { headers });
      expect(replay.headers.get("idempotency-replayed"), `${operationId}: a replay`).toBe("true");
      expect(await count(), `${operationId}: a replay`).toBe(1);
    }
    const again = await send(operation, change, by);
    expect(again.status < 300, `${operationId}: again`).toBe(change.again !== "is refused");
    expect(await count(), `${operationId}: again`).toBe(change.again === "another" ? 2 : 1);
  }
});

test("each invitation leaves an entry, and a refused one none", async () => {
  const by = await registerStaff("admin");
  const email = freshEmail("staff");
  const invite = (json: { email: string; role?: string }) =>
    api("POST /users/api/v1/auth/register-staff", { token: by.token, json });
  const first = await invite({ email });
  const second = await invite({ email, role: "admin" });
  expect((await invite({ email: player.email })).status).toBe(409);
  const about = { actorId: by.id, action: "registerStaff", object: { type: "user", id: first.body.id } };
  const requestId = ({ headers }: ApiResponse) => headers.get("x-request-id");
  expect(await entriesBy(by, "users")).toMatchObject([
    { ...about, before: { role: "staff" }, after: { role: "admin", invited: true }, requestId: requestId(second) },
    { ...about, before: null, after: { email, role: "staff", invited: true }, requestId: requestId(first) },
  ]);
});

test("staff who look at a player's data or search leave one entry; who finds nobody by an id, none", async () => {
  const by = await registerStaff("admin");
  for (const operation of operations.filter((operation) => nameOf(operation) in LOOKS)) {
    const { service, operationId } = operation;
    const before = (await entriesBy(by, service)).length;
    const ids = LOOKS[nameOf(operation)]?.() ?? [];
    const { status, headers } = await send(operation, { ids }, by);
    expect(status, operationId).toBe(200);
    const entries = await entriesBy(by, service);
    expect(entries.length - before, operationId).toBe(1);
    const requestId = headers.get("x-request-id");
    expect(entries[0]).toMatchObject({ action: operationId, object: { id: ids[0] ?? null }, requestId });
    if (ids.length === 0) continue;
    expect((await send(operation, {}, by)).status, operationId).toBe(404);
    expect(await entriesBy(by, service), operationId).toHaveLength(entries.length);
  }
});

test("staff who ask for one player's assignment look at that player; who lists all of a promotion looks at nobody", async () => {
  const by = await registerStaff();
  const { id: promotionId } = await createPromotion(by.token);
  await assign(by.token, promotionId, [player.id]);
  const before = (await entriesBy(by, "promotions")).length;
  const list = async (query: string) => {
    const { status, body } = await api(`GET /promotions/api/v1/promotions/${promotionId}/assignments${query}`, by);
    expect(status).toBe(200);
    expect(body).toMatchObject({ data: [{ playerId: player.id, assignedBy: by.id, status: "assigned" }] });
  };
  await list("");
  expect(await entriesBy(by, "promotions")).toHaveLength(before);
  await list(`?playerId=${player.id}`);
  const entries = await entriesBy(by, "promotions");
  expect(entries).toHaveLength(before + 1);
  expect(entries[0]).toMatchObject({
    action: "listAssignments",
    object: { type: "player", id: player.id },
    after: { promotionId },
  });
});

test("what a player does and looks at is not in the audit", async () => {
  const own = await registerPlayer();
  await api("GET /users/api/v1/users/me", { token: own.token });
  await api("GET /users/api/v1/transactions", { token: own.token });
  await api(`GET /promotions/api/v1/promotions/players/${own.id}`, { token: own.token });
  for (const service of ["users", "promotions"]) expect(await entriesBy(own, service)).toEqual([]);
});

test("an entry shows what was before and after, why, and neither a password nor what somebody searched for", async () => {
  const [by, about] = [await registerStaff("admin"), await registerPlayer()];
  const email = freshEmail("staff");
  await api("POST /users/api/v1/auth/register-staff", { token: by.token, json: { email, password: PASSWORD } });
  await api(`PATCH /users/api/v1/users/${about.id}/status`, {
    token: by.token,
    json: { status: "suspended", reason: "Chargeback" },
  });
  await api(`GET /users/api/v1/users?q=${about.email}`, { token: by.token });
  const entries = await entriesBy(by, "users");
  expect(entries).toMatchObject([
    { action: "searchUsers", object: { type: "user", id: null }, after: { found: [about.id] } },
    {
      action: "changeUserStatus",
      object: { type: "user", id: about.id },
      before: { status: "active" },
      after: { status: "suspended" },
      reason: "Chargeback",
    },
    { action: "registerStaff", before: null, after: { email, role: "staff" } },
  ]);
  expect(JSON.stringify(entries)).not.toContain(PASSWORD);
  expect(JSON.stringify(entries)).not.toContain(about.email);
  const ofObject = await api(`GET /users/api/v1/audit?object=${about.id}&action=changeUserStatus`, {
    token: await logInAdmin(),
  });
  expect(ofObject.body.data).toEqual([entries[1]]);
});

test("an assignment to a thousand players leaves one entry, with the counts", async () => {
  const by = await registerStaff();
  const { id } = await createPromotion(admin.token);
  const json = { playerIds: [player.id, ...Array.from({ length: 999 }, newId)] };
  await api(`POST /promotions/api/v1/promotions/${id}/assign`, { token: by.token, json });
  expect(await entriesBy(by, "promotions")).toMatchObject([
    { object: { type: "promotion", id }, after: { assigned: 1, alreadyAssigned: 0, rejected: 999 } },
  ]);
});

test("of many who change the same at once, one leaves an entry", async () => {
  const { id } = await createPromotion(admin.token);
  const staff = await registerStaff();
  await Promise.all(
    Array.from({ length: 12 }, () =>
      api(`PATCH /promotions/api/v1/promotions/${id}`, { token: staff.token, json: { status: "paused" } }),
    ),
  );
  expect(await entriesBy(staff, "promotions")).toMatchObject([{ action: "updatePromotion", changed: ["status"] }]);
});

test("a filter that is none is refused", async () => {
  for (const query of ["actorId=x", "object=x", "action=a.b", "from=yesterday", "to=x", "cursor=x", "who=me"]) {
    const { status } = await api(`GET /users/api/v1/audit?${query}`, { token: admin.token });
    expect(status, query).toBe(400);
  }
});
