import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createConnections } from "./connections.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "connections-"));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (name: string) => readFile(path.join(folder, name), "utf8");
const modeOf = async (name: string) => (await stat(path.join(folder, name))).mode & 0o777;
const input = (overrides = {}) => ({
  templates: { USERS_DATABASE_URL: "postgres://users:{users-password}@db/users", FERRETDB_PGPASS: undefined },
  passwords: ["postgres-password"],
  adminPassword: undefined,
  ...overrides,
});

test("a URL holds the password that its server reads, and each is readable by whom it is for", async () => {
  await createConnections(folder, input());
  expect(await read("users-database-url")).toBe(`postgres://users:${await read("users-password")}@db/users`);
  expect(await read("users-password")).toMatch(/^[0-9a-f]{48}$/);
  expect(await read("postgres-password")).not.toBe(await read("users-password"));
  expect((await readdir(folder)).sort()).toEqual([
    "admin-password",
    "postgres-password",
    "users-database-url",
    "users-password",
  ]);
  for (const name of ["postgres-password", "users-password"]) expect(await modeOf(name)).toBe(0o640);
  for (const name of ["users-database-url", "admin-password"]) expect(await modeOf(name)).toBe(0o600);
});

test("passwords stay when it runs again, and the URL follows its template", async () => {
  await createConnections(folder, input());
  const [password, admin] = [await read("users-password"), await read("admin-password")];
  const templates = { USERS_DATABASE_URL: "postgres://users:{users-password}@elsewhere/users" };
  expect(await createConnections(folder, input({ templates }))).toEqual(["users-database-url"]);
  expect(await read("users-database-url")).toBe(`postgres://users:${password}@elsewhere/users`);
  expect(await read("admin-password")).toBe(admin);
});

test("the admin's password is the one that was given", async () => {
  await createConnections(folder, input());
  await createConnections(folder, input({ adminPassword: "chosen by the operator" }));
  expect(await read("admin-password")).toBe("chosen by the operator");
});
