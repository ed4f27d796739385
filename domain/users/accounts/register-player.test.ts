import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { playerRegistered } from "../../../lib/events.ts";
import { outbox } from "../../../lib/outbox/schema.ts";
import { createStaff, createUsersContext, freshEmail, PASSWORD } from "../../../tests/support/users-service.ts";
import { registerPlayer } from "./register-player.ts";
import { registerStaff } from "./register-staff.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

const register = (email: string) => registerPlayer(ctx, { email, password: PASSWORD, traceparent: undefined });

test("a registration writes the player and its event, with the time of the row and the trace of the request", async () => {
  const email = freshEmail("Mixed.Case");
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const player = await registerPlayer(ctx, { email, password: PASSWORD, traceparent });
  expect(player).toMatchObject({ email, role: "player", status: "active", balanceMinor: 0, currency: "EUR" });

  const [row] = await ctx.db.select().from(outbox).where(eq(outbox.key, player.id));
  expect(row).toMatchObject({ topic: "player", headers: { traceparent } });
  const event = playerRegistered.parse(row?.event);
  expect(event).toMatchObject({ subject: player.id, data: { playerId: player.id }, source: "/users" });
  expect(event.time).toBe(player.createdAt.toISOString());
});

test("of many who register one e-mail address in any case at once, one gets it", async () => {
  const email = freshEmail("Race");
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => register(n % 2 === 0 ? email.toLowerCase() : email.toUpperCase())),
  );
  const refusals = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
  expect(refusals).toEqual(Array(9).fill("email_taken"));
  const rows = await ctx.db
    .select({ id: users.id })
    .from(users)
    .where(sql`lower(${users.email}) = ${email.toLowerCase()}`);
  expect(rows).toHaveLength(1);
});

test("a refused registration leaves no event", async () => {
  const email = freshEmail();
  await register(email);
  const count = () => ctx.db.$count(outbox);
  const before = await count();
  await expect(register(email)).rejects.toMatchObject({ kind: "already_exists", code: "email_taken" });
  expect(await count()).toBe(before);
});

test("staff share the address space with players, and no event tells of them", async () => {
  const email = freshEmail("staff");
  const staff = await registerStaff(ctx, {
    email,
    password: PASSWORD,
    role: "staff",
    actor: await createStaff(ctx, "admin"),
  });
  expect(staff.role).toBe("staff");
  expect(await ctx.db.$count(outbox, eq(outbox.key, staff.id))).toBe(0);
  await expect(register(email.toUpperCase())).rejects.toMatchObject({ code: "email_taken" });
});
