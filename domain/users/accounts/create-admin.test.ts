import { afterAll, beforeAll, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { createPlayer, createUsersContext, freshEmail, logIn, PASSWORD } from "../../../tests/support/users-service.ts";
import { createAdmin } from "./create-admin.ts";
import { emailIs } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

test("three that create the admin at once create one", async () => {
  const email = freshEmail("admin");
  const created = await Promise.all([1, 2, 3].map(() => createAdmin(ctx, { email, password: PASSWORD })));
  expect(created.filter(Boolean)).toHaveLength(1);
  expect(await ctx.db.$count(users, emailIs(email))).toBe(1);
});

test("an admin who exists keeps their password", async () => {
  const email = freshEmail("admin");
  expect(await createAdmin(ctx, { email, password: PASSWORD })).toBe(true);
  expect(await createAdmin(ctx, { email: email.toUpperCase(), password: "another-long-password" })).toBe(false);
  expect((await logIn(ctx, { email, password: PASSWORD })).user.role).toBe("admin");
});

test("a player is not made an admin by their e-mail address", async () => {
  const player = await createPlayer(ctx);
  await expect(createAdmin(ctx, { email: player.email, password: PASSWORD })).rejects.toMatchObject({
    code: "email_not_an_admins",
  });
});
