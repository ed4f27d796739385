import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createLocalJWKSet } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTokenSigner, createTokenVerifier } from "../../lib/auth/tokens.ts";
import { field } from "../../lib/config.ts";
import { newId } from "../../lib/ids.ts";
import { createSecrets } from "./secrets.ts";

let folder: string;
beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), "secrets-")), "new");
});
afterEach(() => rm(path.dirname(folder), { recursive: true }));

const names = ["jwt-signing-keys.json", "mail-link-key", "refresh-token-key", "second-factor-key", "service-token"];
const read = (name: string) => readFile(path.join(folder, name), "utf8");

test("all secrets are made, long enough and for the owner's eyes only", async () => {
  expect(await createSecrets(folder)).toEqual(names);
  expect((await readdir(folder)).sort()).toEqual(names);
  for (const name of names) expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
  for (const name of names.slice(1)) field.secret.parse(await read(name));
  expect(await read("refresh-token-key")).not.toBe(await read("service-token"));
});

test("the signing key signs what its public half verifies", async () => {
  await createSecrets(folder);
  const { keys } = JSON.parse(await read("jwt-signing-keys.json"));
  const { d: _, ...publicKey } = keys[0];
  const audience = { issuer: "test", audience: "test" };
  const sign = await createTokenSigner(keys[0], audience);
  const verify = createTokenVerifier(createLocalJWKSet({ keys: [publicKey] }), audience);
  const principal = { id: newId(), role: "player", sessionId: newId() } as const;
  expect(await verify(await sign(principal))).toMatchObject(principal);
});

test("a secret that exists is never overwritten", async () => {
  await createSecrets(folder);
  await rm(path.join(folder, "service-token"));
  await writeFile(path.join(folder, "refresh-token-key"), "kept");
  expect(await createSecrets(folder)).toEqual(["service-token"]);
  expect(await read("refresh-token-key")).toBe("kept");
});

test("three that run at once make one set", async () => {
  const written = await Promise.all([1, 2, 3].map(() => createSecrets(folder)));
  expect(written.flat().sort()).toEqual(names);
  expect((await readdir(folder)).sort()).toEqual(names);
});
