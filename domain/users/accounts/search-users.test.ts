import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createStaff, createUsersContext, PASSWORD } from "../../../tests/support/users-service.ts";
import { changeUserStatus } from "./change-user-status.ts";
import { registerPlayer } from "./register-player.ts";
import { type SearchUsersInput, searchUsers } from "./search-users.ts";
import type { User } from "./user.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
const players: User[] = [];
let staff: User;
beforeAll(async () => {
  ctx = await createUsersContext();
  for (const name of ["Ada.One", "ada.two", "ada_three", "adaXthree", "bob%", "bobby"]) {
    const email = `${name}@example.com`;
    players.push(await registerPlayer(ctx, { email, password: PASSWORD, traceparent: undefined }));
  }
  staff = await createStaff(ctx, "staff", "ada.staff@example.com");
});
afterAll(() => ctx.stop());

const search = (input: Partial<SearchUsersInput>) =>
  searchUsers(ctx, { limit: 100, searchedBy: { actorId: null }, ...input });
const emails = async (input: Partial<SearchUsersInput>) => (await search(input)).data.map(({ email }) => email).sort();

test("the beginning of an e-mail address fits in any case", async () => {
  expect(await emails({ q: "ADA." })).toEqual(["Ada.One@example.com", "ada.staff@example.com", "ada.two@example.com"]);
});

test.each([
  ["ada_", ["ada_three@example.com"]],
  ["bob%", ["bob%@example.com"]],
  ["%", []],
  ["ada\\", []],
])("wildcards of LIKE mean themselves: %s", async (q, expected) => {
  expect(await emails({ q })).toEqual(expected);
});

test("a whole id finds its user, in any case", async () => {
  const [first] = players;
  expect(await emails({ q: first?.id.toUpperCase() })).toEqual([first?.email]);
  expect(await emails({ q: newId() })).toEqual([]);
});

test("role and status narrow the search", async () => {
  expect(await emails({ role: "staff" })).toEqual([staff.email]);
  const userId = players[1]?.id ?? "";
  await changeUserStatus(ctx, { userId, status: "suspended", reason: "r", actor: staff, traceparent: undefined });
  expect(await emails({ status: "suspended" })).toEqual(["ada.two@example.com"]);
  expect(await emails({ q: "ada", status: "active", role: "player" })).not.toContain("ada.two@example.com");
});

test("pages are newest first and tile the list, though users register in between", async () => {
  const all = (await search({})).data.map(({ id }) => id);
  expect(all).toEqual([...all].sort().reverse());
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await search({ limit: 2, cursor });
    seen.push(...page.data.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
    await createStaff(ctx);
  } while (cursor !== undefined);
  expect(seen).toEqual(all);
});

test("no answer holds a password hash", async () => {
  expect(JSON.stringify(await search({}))).not.toContain("argon2");
});
