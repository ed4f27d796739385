import { asc, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { findAuditEntries } from "../../../lib/audit/find-entries.ts";
import { playerVerificationChanged } from "../../../lib/events.ts";
import { newId } from "../../../lib/ids.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { createPlayer, createStaff, createUsersContext } from "../../../tests/support/users-service.ts";
import { changeUserStatus } from "./change-user-status.ts";
import { type ChangeVerificationInput, changeVerification } from "./change-verification.ts";
import { getUser } from "./get-user.ts";
import type { User } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let staff: User;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  staff = await createStaff(ctx);
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const change = (overrides: Partial<ChangeVerificationInput> = {}) =>
  changeVerification(ctx, {
    userId: player.id,
    verified: true,
    method: "Identity card",
    reason: "made by a test",
    actor: staff,
    traceparent: undefined,
    ...overrides,
  });
const events = async () => {
  const rows = await ctx.db.select().from(outbox).where(eq(outbox.key, player.id)).orderBy(asc(outbox.id));
  return rows.flatMap(({ event }) => playerVerificationChanged.safeParse(event).data ?? []);
};
const audit = async () =>
  (await findAuditEntries(ctx.db, { objectId: player.id, action: "changeVerification", limit: 100 })).data;

test("who has registered is not verified; a change is in the profile, the audit and the outbox, with one time", async () => {
  expect(player.verified).toBe(false);
  expect(await change()).toEqual({ ...player, verified: true });
  expect(await change({ verified: false, method: "Document withdrawn" })).toEqual(player);
  expect(await getUser(ctx, { userId: player.id })).toEqual(player);
  expect(await audit()).toMatchObject([
    { before: { verified: true }, after: { verified: false, method: "Document withdrawn" } },
    { before: { verified: false }, after: { verified: true, method: "Identity card" }, reason: "made by a test" },
  ]);
  const told = await events();
  expect(told.map(({ data }) => data)).toEqual([
    { playerId: player.id, verified: true },
    { playerId: player.id, verified: false },
  ]);
  const [row] = await ctx.db.select().from(users).where(eq(users.id, player.id));
  expect(told.map(({ time }) => time)).toEqual([expect.any(String), row?.verificationChangedAt?.toISOString()]);
});

test("the same again, also at once, is no second change and no second event", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => change()));
  expect(answers.map(({ verified }) => verified)).toEqual(Array(8).fill(true));
  expect([(await audit()).length, (await events()).length]).toEqual([1, 1]);
});

test("of changes at once the last event is the row's", async () => {
  await Promise.all(Array.from({ length: 10 }, (_, n) => change({ verified: n % 2 === 0 })));
  const { verified } = await getUser(ctx, { userId: player.id });
  const inOrder = (await events()).toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  expect(inOrder.at(-1)?.data.verified).toBe(verified);
});

test("one who is suspended can be verified, and stays suspended", async () => {
  const input = { userId: player.id, reason: "a test", actor: staff, traceparent: undefined };
  await changeUserStatus(ctx, { ...input, status: "suspended" });
  expect(await change()).toMatchObject({ verified: true, status: "suspended" });
});

test("staff are no players, and who is suspended or nobody verifies nobody", async () => {
  await expect(change({ userId: staff.id })).rejects.toMatchObject({ code: "not_a_player" });
  await expect(change({ userId: newId() })).rejects.toMatchObject({ code: "user_not_found" });
  await expect(change({ actor: player })).rejects.toMatchObject({ code: "role_not_allowed" });
  const suspended = await createStaff(ctx);
  const admin = await createStaff(ctx, "admin");
  const input = { userId: suspended.id, reason: "a test", actor: admin, traceparent: undefined };
  await changeUserStatus(ctx, { ...input, status: "suspended" });
  await expect(change({ actor: suspended })).rejects.toMatchObject({ code: "account_suspended" });
  expect([await audit(), await events()]).toEqual([[], []]);
});
