import { beforeAll, expect, test } from "vitest";
import { type Account, api, registerPlayer, registerStaff } from "../support/api.ts";
import { askNonsense, type Operation, operationsOf } from "../support/operations.ts";
import { openSocket } from "../support/socket.ts";
import { expiredToken, withUnknownSession } from "../support/tokens.ts";
import { until } from "../support/until.ts";

/** Who may use an operation, by its id: everybody, whoever has a token, or these roles only. */
type Access = "everybody" | "any" | "player" | "staff" | "admin";
const ACCESS: Record<string, Record<string, Access>> = {
  users: {
    registerPlayer: "everybody",
    logIn: "everybody",
    answerChallenge: "everybody",
    refreshSession: "everybody",
    logOut: "everybody",
    forgotPassword: "everybody",
    resetPassword: "everybody",
    acceptInvitation: "everybody",
    verifyEmail: "everybody",
    getJwks: "everybody",
    logOutEverywhere: "any",
    listOwnSessions: "any",
    endOwnSession: "any",
    changePassword: "any",
    changeEmail: "any",
    beginEnrolment: "any",
    confirmEnrolment: "any",
    removeSecondFactor: "any",
    getOwnProfile: "any",
    listOwnTransactions: "any",
    searchUsers: "staff",
    getUser: "staff",
    listTransactions: "staff",
    changeUserStatus: "staff",
    changeVerification: "staff",
    registerStaff: "admin",
    listAudit: "admin",
    resetSecondFactor: "admin",
    exportLedger: "admin",
  },
  promotions: {
    listPlayerPromotions: "any",
    claimPromotion: "player",
    optIn: "player",
    createPromotion: "staff",
    listPromotions: "staff",
    getPromotion: "staff",
    getPromotionStatistics: "staff",
    updatePromotion: "staff",
    assignPromotion: "staff",
    revokeAssignment: "staff",
    approvePromotion: "admin",
    rejectPromotion: "admin",
    listAssignments: "staff",
    listAudit: "admin",
  },
  notifications: {
    listNotifications: "any",
    markNotificationRead: "any",
    markAllNotificationsRead: "any",
  },
};

/** What restricted sessions may do all the same, by restriction. Anything else they may not, and of one that is not here, nothing. */
const EVEN_RESTRICTED: Record<string, string[]> = {
  second_factor: ["beginEnrolment", "confirmEnrolment", "logOutEverywhere"],
  "one of a newer version": [],
};

let operations: Operation[];
let accounts: Record<"player" | "staff" | "admin", Account>;
beforeAll(async () => {
  operations = (await Promise.all(Object.keys(ACCESS).map(operationsOf))).flat();
  accounts = {
    player: await registerPlayer(),
    staff: await registerStaff(),
    admin: await registerStaff("admin"),
  };
});

const accessOf = ({ service, operationId }: Operation) => ACCESS[service]?.[operationId];
const includes = (access: Access, role: string) =>
  access === "everybody" || access === "any" || access === role || (access === "staff" && role === "admin");
const nameOf = ({ service, operationId }: Operation) => `${service} ${operationId}`;

test("every operation of every document says who may use it", () => {
  const documented = operations.map(nameOf).sort();
  const listed = Object.entries(ACCESS).flatMap(([service, ids]) => Object.keys(ids).map((id) => `${service} ${id}`));
  expect(documented).toEqual(listed.sort());
});

test.each(["player", "staff", "admin"] as const)("a %s may use what is theirs, and nothing else", async (role) => {
  for (const operation of operations) {
    // Signed for each request: one of them ends all sessions.
    const { token } = await withUnknownSession(accounts[role], role);
    const { status, body } = await askNonsense(operation, token);
    const isLetIn = body?.code !== "role_not_allowed";
    const what = `${role}: ${nameOf(operation)} answered ${status} ${body?.code}`;
    expect(isLetIn, what).toBe(includes(accessOf(operation) as Access, role));
    if (!isLetIn) expect(status, what).toBe(403);
    expect(["token_missing", "token_invalid", "token_expired", "session_revoked"], what).not.toContain(body?.code);
  }
});

test.each(
  Object.keys(EVEN_RESTRICTED).flatMap((restriction) =>
    (["player", "staff", "admin"] as const).map((role) => ({ role, restriction })),
  ),
)(
  "a restricted session ($restriction) of a $role may do what is listed, and nothing else, and opens no socket",
  async ({ role, restriction }) => {
    for (const operation of operations) {
      const { token } = await withUnknownSession(accounts[role], role, restriction);
      const { status, body } = await askNonsense(operation, token);
      const mayPass =
        accessOf(operation) === "everybody" || EVEN_RESTRICTED[restriction]?.includes(operation.operationId);
      const what = `${nameOf(operation)} answered ${status} ${body?.code}`;
      if (mayPass) expect(["session_restricted", "role_not_allowed"], what).not.toContain(body?.code);
      else expect([status, body?.code], what).toEqual([403, "session_restricted"]);
    }
    const { token } = await withUnknownSession(accounts[role], role, restriction);
    for (const viaSubprotocol of [false, true]) {
      const socket = await openSocket(token, { viaSubprotocol });
      expect([await socket.untilClosed(), socket.closeReason]).toEqual([4401, "session_restricted"]);
      expect(socket.frames).toEqual([]);
    }
    const open = await openSocket((await withUnknownSession(accounts[role], role)).token);
    await open.untilReady();
    open.send({ type: "auth", accessToken: token });
    expect([await open.untilClosed(), open.closeReason]).toEqual([4401, "session_restricted"]);
  },
);

test.each<[string, () => Promise<string | undefined>, string]>([
  ["nobody", async () => undefined, "token_missing"],
  ["a forged token", async () => `${accounts.admin.token.slice(0, -8)}AAAAAAAA`, "token_invalid"],
  ["a stale token", () => expiredToken(accounts.admin, "admin"), "token_expired"],
  ["a session that has ended", endedSession, "session_revoked"],
])("%s gets nothing but what is everybody's", async (_, tokenOf, code) => {
  const token = await tokenOf();
  for (const operation of operations) {
    const isOpen = accessOf(operation) === "everybody";
    const { status, body } = await askNonsense(operation, token);
    expect([nameOf(operation), body?.code === code, status === 401 && !isOpen]).toEqual([
      nameOf(operation),
      !isOpen,
      !isOpen,
    ]);
  }
  const socket = await openSocket(token);
  expect(await socket.untilClosed()).toBe(4401);
});

async function endedSession(): Promise<string> {
  const { token } = await registerStaff("admin");
  await api("POST /users/api/v1/auth/logout-all", { token });
  await until("every replica has heard of it", async () => {
    const asked = operations.filter((operation) => ["any", "staff"].includes(accessOf(operation) ?? ""));
    const reads = asked.filter(({ method }) => method === "GET");
    const answers = await Promise.all(
      [...reads, ...reads, ...reads]
        .concat(operations.filter(({ operationId }) => operationId === "listNotifications"))
        .map((operation) => askNonsense(operation, token)),
    );
    return answers.every(({ body }) => body.code === "session_revoked");
  });
  return token;
}

test("a player sees nothing of another player's", async () => {
  const [other, own] = [await registerPlayer(), await registerPlayer()];
  const asked = await api(`GET /promotions/api/v1/promotions/players/${other.id}`, { token: own.token });
  expect(asked).toMatchObject({ status: 403, body: { code: "not_your_account" } });
  const { body } = await api("GET /users/api/v1/auth/sessions", { token: other.token });
  const ended = await api(`DELETE /users/api/v1/auth/sessions/${body.data[0].id}`, { token: own.token });
  expect(ended).toMatchObject({ status: 404, body: { code: "session_not_found" } });
  expect(await api("GET /users/api/v1/users/me", { token: other.token })).toMatchObject({ status: 200 });
});
