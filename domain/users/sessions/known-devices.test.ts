import { asc, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { knownDevices } from "../../../drizzle/users/schema.ts";
import { accountChanged } from "../../../lib/events.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { connectDatabase } from "../../../lib/postgres.ts";
import { createPlayer, createStaff, createUsersContext, PASSWORD } from "../../../tests/support/users-service.ts";
import type { User } from "../accounts/user.ts";
import type { UsersContext } from "../context.ts";
import { logIn } from "./log-in.ts";
import { findSessions, type SessionClient } from "./store.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let player: User;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());
beforeEach(async () => {
  player = await createPlayer(ctx);
});

const HOME: SessionClient = {
  userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  address: "203.0.113.7",
};
const PHONE: SessionClient = { ...HOME, userAgent: "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0" };
const open = (client: SessionClient, user: { email: string } = player, using: UsersContext = ctx) =>
  logIn(using, { email: user.email, password: PASSWORD, client });
/** What a user was told, the oldest first. */
async function told({ id } = player) {
  const rows = await ctx.db.select().from(outbox).where(eq(outbox.key, id)).orderBy(asc(outbox.id));
  return rows
    .map(({ topic, event }) => ({ topic, event: accountChanged.safeParse(event).data }))
    .filter(({ event }) => event !== undefined);
}

test("a login from a new device is told, once; the first one is not, nor one from a device that is known", async () => {
  await open(HOME);
  await open(HOME);
  expect(await told()).toEqual([]);
  await open(PHONE);
  await open(PHONE);
  await open(HOME);
  expect(await told()).toEqual([
    {
      topic: "notification",
      event: expect.objectContaining({
        type: "ACCOUNT",
        source: "/users",
        subject: player.id,
        data: { kind: "new_device", userAgent: PHONE.userAgent },
      }),
    },
  ]);
});

test.each<[what: string, client: SessionClient, isNew: boolean]>([
  ["another version of the browser", { ...HOME, userAgent: HOME.userAgent.replaceAll("140", "141") }, false],
  ["another network address", { ...HOME, address: "198.51.100.9" }, true],
  ["another browser", { ...HOME, userAgent: "curl/8.0" }, true],
  ["a client that does not say what it is", { ...HOME, userAgent: "" }, true],
])("%s", async (_what, client, isNew) => {
  await open(HOME);
  await open(client);
  expect(await told()).toHaveLength(isNew ? 1 : 0);
});

test("of logins at once from one new device one is told, and of two first ones the second", async () => {
  await Promise.all([HOME, PHONE].map((client) => open(client)));
  expect(await told()).toHaveLength(1);
  const third = { ...HOME, userAgent: "curl/8.0" };
  await Promise.all([third, third, third].map((client) => open(client)));
  expect(await told()).toHaveLength(2);
});

test("a wrong password tells nothing, and neither does a login of staff", async () => {
  await open(HOME);
  await expect(logIn(ctx, { email: player.email, password: "not-the-password", client: PHONE })).rejects.toThrow();
  expect(await told()).toEqual([]);
  const staff = await createStaff(ctx);
  await open(HOME, staff);
  await open(PHONE, staff);
  expect(await ctx.db.$count(knownDevices, eq(knownDevices.userId, staff.id))).toBe(0);
});

test("while nothing can be written, nobody is let in of whom somebody were to be told", async () => {
  const url = `${ctx.databaseUrl}?default_transaction_read_only=on`;
  const readOnly = connectDatabase({ url, name: "test", connectionsMax: 1 });
  try {
    const openReadOnly = (client: SessionClient) => open(client, player, { ...ctx, db: readOnly.db });
    expect(await openReadOnly(HOME)).toMatchObject({ user: { id: player.id } });
    await open(HOME);
    expect(await openReadOnly(HOME)).toMatchObject({ user: { id: player.id } });
    await expect(openReadOnly(PHONE)).rejects.toThrow();
  } finally {
    await readOnly.close();
  }
  const agents = (await findSessions(ctx, player.id)).map(({ userAgent }) => userAgent);
  expect(agents).toEqual([HOME.userAgent, HOME.userAgent, HOME.userAgent]);
  await open(PHONE);
  expect(await told()).toHaveLength(1);
});

test("an account's newest 20 devices are kept, and nothing that tells where they are", async () => {
  const { email } = player;
  // Not by 22 logins, of which each hashes a password.
  await ctx.db.insert(knownDevices).values(
    Array.from({ length: 20 }, (_, index) => ({
      userId: player.id,
      device: `older-${index}`,
      firstSeenAt: new Date(Date.now() - (index + 1) * 60_000),
    })),
  );
  await open(HOME, { email });
  const kept = await ctx.db.select().from(knownDevices).where(eq(knownDevices.userId, player.id));
  expect(kept).toHaveLength(20);
  expect(kept.map(({ device }) => device)).not.toContain("older-19");
  expect(JSON.stringify(kept)).not.toMatch(/203\.0\.113\.7|Mozilla/);
  // The same device is another one to another account.
  const other = await createPlayer(ctx);
  await open(HOME, other);
  const [theirs] = await ctx.db.select().from(knownDevices).where(eq(knownDevices.userId, other.id));
  expect(kept.map(({ device }) => device)).not.toContain(theirs?.device);
});
