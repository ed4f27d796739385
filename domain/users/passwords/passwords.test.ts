import { hash } from "@node-rs/argon2";
import { describe, expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { newPasswordSchema, presentedPasswordSchema } from "./credentials.ts";
import { checkPassword, hashPassword, normalizePassword } from "./passwords.ts";

test("a password is kept as argon2id with 19 MiB, two passes and one lane, each time with another salt", async () => {
  const [first, second] = await Promise.all([hashPassword("same password"), hashPassword("same password")]);
  expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(second).not.toBe(first);
});

test("only the right password fits", async () => {
  const hashed = await hashPassword("the right password");
  expect(await checkPassword("the right password", hashed)).toBe("right");
  expect(await checkPassword("the wrong password", hashed)).toBe("wrong");
});

test("a hash of the bytes as they were sent fits, and is said to be outdated", async () => {
  const sent = "caffe\u0300 e latte";
  const hashed = await hash(sent);
  expect(await checkPassword(sent, hashed)).toBe("outdated");
  expect(await checkPassword(sent.normalize("NFC"), hashed)).toBe("wrong");
  expect(await checkPassword(sent, await hashPassword(sent))).toBe("right");
});

test.each([
  ["e\u0301", "\u00e9"],
  ["\u212b", "\u00c5"],
  ["a\u00a0b\u3000c\u2003d", "a b c d"],
  ["ﬁ ２ Ａ ß \u200b", "ﬁ ２ Ａ ß \u200b"],
])("as OpaqueString says, %j becomes %j", (password, normal) => {
  expect(normalizePassword(password)).toBe(normal);
  expect(normalizePassword(normal)).toBe(normal);
});

test.each<[string, string, boolean]>([
  ["11 characters", "a".repeat(11), false],
  ["12 characters", "a".repeat(12), true],
  ["11 characters that are 22 when decomposed", "e\u0301".repeat(11), false],
  ["12 characters beyond the basic plane", "🎰".repeat(12), true],
  ["six of them", "🎰".repeat(6), false],
  ["128 characters", "é".repeat(128), true],
  ["128 characters, decomposed", "e\u0301".repeat(128), true],
  ["128 characters of four", "\u03b1\u0313\u0300\u0345".repeat(128), true],
  ["129 characters", "a".repeat(129), false],
  ["a megabyte", "a".repeat(1_000_000), false],
  ["a lone surrogate", `${"a".repeat(20)}\ud800`, false],
  ["NUL", `${"a".repeat(20)}\0`, false],
])("length is counted in characters as they are kept: %s", (_, password, isTaken) => {
  expect(newPasswordSchema.safeParse(password).success).toBe(isTaken);
});

test.each(["a lone surrogate: \ud800", "NUL: \0", ""])("%j can't even be presented", (password) => {
  expect(presentedPasswordSchema.safeParse(password).success).toBe(false);
});

describe("no password fits an unknown user, and the check takes as long as for a known one:", () => {
  const timeMs = async (check: () => Promise<string>) => {
    const startedAt = performance.now();
    expect(await check()).toBe("wrong");
    return performance.now() - startedAt;
  };

  test.each(["the wrong password", "the wrong p\u0061\u0301ssword"])("%j", async (password) => {
    const hashed = await hashPassword("the right password");
    // A missing or cheaper hash would make one of them many times faster, however often they are compared. The fastest of each
    // counts, since others have the processor too.
    let [knownMs, unknownMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    await until("they take as long", async () => {
      knownMs = Math.min(knownMs, await timeMs(() => checkPassword(password, hashed)));
      unknownMs = Math.min(unknownMs, await timeMs(() => checkPassword(password, undefined)));
      return unknownMs / knownMs > 0.5 && unknownMs / knownMs < 2;
    });
  });
});
