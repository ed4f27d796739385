import { hash } from "@node-rs/argon2";
import { describe, expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import commonPasswords from "./common-passwords.json" with { type: "json" };
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

/** So many characters, taken in turn from some, each with marks that follow it. */
const some = (count: number, of: string, marks = "") =>
  Array.from({ length: count }, (_, index) => `${[...of][index % [...of].length]}${marks}`).join("");

test.each<[string, string, boolean]>([
  ["11 characters", some(11, "adcbe"), false],
  ["12 characters", some(12, "adcbe"), true],
  ["11 characters that are 22 when decomposed", some(11, "eaoui", "\u0301"), false],
  ["12 characters beyond the basic plane", some(12, "🎰🎲🃏🎯🎱"), true],
  ["six of them", some(6, "🎰🎲🃏🎯🎱"), false],
  ["128 characters", some(128, "éàöüç"), true],
  ["128 characters, decomposed", some(128, "eaoui", "\u0301"), true],
  ["128 characters of four", some(128, "αηωαη", "\u0313\u0300\u0345"), true],
  ["129 characters", some(129, "adcbe"), false],
  ["a megabyte", "a".repeat(1_000_000), false],
  ["a lone surrogate", `${"a".repeat(20)}\ud800`, false],
  ["NUL", `${"a".repeat(20)}\0`, false],
])("length is counted in characters as they are kept: %s", (_, password, isTaken) => {
  expect(newPasswordSchema.safeParse(password).success).toBe(isTaken);
});

test.each([
  ["one character again and again", "a".repeat(20), false],
  ["four characters again and again, in whatever case", "abCDABcdabcdAB", false],
  ["five characters again and again", "adcbeadcbeadcbe", true],
  ["a sequence of digits", "567890123456", false],
  ["a sequence of letters, backwards", "zyxwvutsrqponm", false],
  ["most of a sequence", "1234567890124", true],
  ["the most common one of this length", "123qweasdzxc", false],
  ["a common one, in whatever case", "QwertyQwerty", false],
  ["a common one and a word", "qwertyqwerty staple", true],
])("%s as a password", (_, password, isTaken) => {
  expect(newPasswordSchema.safeParse(password).success).toBe(isTaken);
});

test("the common passwords are 10,000 that could be chosen otherwise, in the form in which they are compared", () => {
  expect(new Set(commonPasswords).size).toBe(10_000);
  const wrong = commonPasswords.filter((password) => {
    const { error } = newPasswordSchema.safeParse(password);
    const messages = error?.issues.map(({ message }) => message).join();
    return messages !== "must not be one of the most common passwords" || normalizePassword(password) !== password;
  });
  expect(wrong).toEqual([]);
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
