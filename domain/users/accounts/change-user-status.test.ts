import { asc, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { userStatusChanges, users } from "../../../drizzle/users/schema.ts";
import { playerStatusChanged } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import {
  createPlayer,
  createStaff,
  createUsersContext,
  freshEmail,
  logIn,
  PASSWORD,
  sessionsOn,
  unreachableRedis,
} from "../../../tests/support/users-service.ts";
import { refreshSession } from "../sessions/refresh-session.ts";
import { type ChangeUserStatusInput, changeUserStatus } from "./change-user-status.ts";
import { getUser } from "./get-user.ts";
import { registerStaff } from "./register-staff.ts";
import type { User } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let staff: User;
let admin: User;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  staff = await createStaff(ctx);
  admin = await createStaff(ctx, "admin");
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const change = (overrides: Partial<ChangeUserStatusInput> = {}) =>
  changeUserStatus(ctx, {
    userId: player.id,
    status: "suspended",
    reason: "made by a test",
    actor: staff,
    traceparent: undefined,
    ...overrides,
  });
const statusEvents = async (userId: string) => {
  const rows = await ctx.db.select().from(outbox).where(eq(outbox.key, userId)).orderBy(asc(outbox.id));
  return rows.map(({ event }) => playerStatusChanged.safeParse(event)).flatMap(({ data }) => (data ? [data] : []));
};
const audit = (userId: string) =>
  ctx.db.select().from(userStatusChanges).where(eq(userStatusChanges.userId, userId)).orderBy(userStatusChanges.id);

test("a change is in the row, the audit and the outbox", async () => {
  expect((await change()).status).toBe("suspended");
  expect((await change({ status: "active", reason: "cleared", actor: admin })).status).toBe("active");
  expect(await audit(player.id)).toMatchObject([
    { from: "active", to: "suspended", reason: "made by a test", changedBy: staff.id },
    { from: "suspended", to: "active", reason: "cleared", changedBy: admin.id },
  ]);
  expect((await statusEvents(player.id)).map(({ data }) => data.status)).toEqual(["suspended", "active"]);
});

test("the same status again, also at once, is no second change and no second event", async () => {
  const users = await Promise.all(Array.from({ length: 8 }, () => change()));
  expect(users.map(({ status }) => status)).toEqual(Array(8).fill("suspended"));
  expect(await audit(player.id)).toHaveLength(1);
  expect(await statusEvents(player.id)).toHaveLength(1);
});

test("a player who is not active loses the sessions, and their profile says so at once", async () => {
  const { refreshToken } = await logIn(ctx, { email: player.email, password: PASSWORD });
  await change({ status: "self_excluded" });
  await expect(refreshSession(ctx, { refreshToken })).rejects.toMatchObject({ code: "refresh_token_invalid" });
  expect((await getUser(ctx, { userId: player.id })).status).toBe("self_excluded");
});

test("nobody changes their own status", async () => {
  for (const actor of [staff, admin]) {
    await expect(change({ userId: actor.id, actor })).rejects.toMatchObject({
      kind: "permission_denied",
      code: "own_status",
    });
  }
});

test("only an admin changes the status of staff, and no player event tells of it", async () => {
  const colleague = await createStaff(ctx);
  for (const userId of [colleague.id, admin.id]) {
    await expect(change({ userId })).rejects.toMatchObject({ kind: "permission_denied", code: "admin_required" });
  }
  expect((await change({ userId: colleague.id, actor: admin })).status).toBe("suspended");
  expect(await audit(colleague.id)).toHaveLength(1);
  expect(await statusEvents(colleague.id)).toHaveLength(0);
});

test("an unknown user is not found", async () => {
  await expect(change({ userId: newId() })).rejects.toMatchObject({ kind: "not_found", code: "user_not_found" });
});

test("a suspension counts while Redis is away, and the sessions that it could not end are refused", async () => {
  const { refreshToken } = await logIn(ctx, { email: player.email, password: PASSWORD });
  const redis = unreachableRedis();
  try {
    const input = {
      userId: player.id,
      status: "suspended",
      reason: "r",
      actor: staff,
      traceparent: undefined,
    } as const;
    expect((await changeUserStatus({ ...ctx, ...sessionsOn(redis) }, input)).status).toBe("suspended");
  } finally {
    redis.disconnect();
  }
  await expect(refreshSession(ctx, { refreshToken })).rejects.toMatchObject({ code: "account_suspended" });
});

test("of two admins who suspend each other at once one succeeds, whatever their tokens say", async () => {
  for (let round = 0; round < 20; round++) {
    const [one, two] = await Promise.all([createStaff(ctx, "admin"), createStaff(ctx, "admin")]);
    const outcomes = await Promise.allSettled([
      change({ userId: one.id, actor: two }),
      change({ userId: two.id, actor: one }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const refusal = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    expect(refusal.reason).toMatchObject({ kind: "permission_denied", code: "account_suspended" });
  }
});

test("whoever is suspended, or has lost the role, changes nothing with a token that is still good", async () => {
  const [suspended, demoted] = [await createStaff(ctx, "admin"), await createStaff(ctx, "admin")];
  await change({ userId: suspended.id, actor: admin });
  await ctx.db.update(users).set({ role: "staff" }).where(eq(users.id, demoted.id));
  const newStaff = { email: freshEmail("staff"), password: PASSWORD, role: "admin" } as const;
  const refusals: [() => Promise<unknown>, string][] = [
    [() => change({ actor: suspended }), "account_suspended"],
    [() => registerStaff(ctx, { ...newStaff, actor: suspended }), "account_suspended"],
    [() => change({ userId: staff.id, actor: demoted }), "admin_required"],
    [() => registerStaff(ctx, { ...newStaff, actor: demoted }), "role_not_allowed"],
    [() => change({ userId: staff.id, actor: { id: player.id, role: "admin" } }), "role_not_allowed"],
    [() => change({ actor: { id: newId(), role: "admin" } }), "role_not_allowed"],
  ];
  for (const [refused, code] of refusals) {
    await expect(refused()).rejects.toMatchObject({ kind: "permission_denied", code });
  }
  expect((await getUser(ctx, { userId: player.id })).status).toBe("active");
  expect(await ctx.db.select().from(users).where(eq(users.email, newStaff.email))).toEqual([]);
});
