import { expect, test } from "vitest";
import { hashPassword, isPassword } from "./passwords.ts";

test("a password is kept as argon2id with 19 MiB, two passes and one lane, each time with another salt", async () => {
  const [first, second] = await Promise.all([hashPassword("same password"), hashPassword("same password")]);
  expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(second).not.toBe(first);
});

test("only the right password fits", async () => {
  const hash = await hashPassword("the right password");
  expect(await isPassword("the right password", hash)).toBe(true);
  expect(await isPassword("the wrong password", hash)).toBe(false);
});

test("no password fits an unknown user, and the check takes as long as for a known one", async () => {
  const hash = await hashPassword("the right password");
  const fastestMs = async (check: () => Promise<boolean>) => {
    const timesMs: number[] = [];
    for (let round = 0; round < 7; round++) {
      const startedAt = performance.now();
      expect(await check()).toBe(false);
      timesMs.push(performance.now() - startedAt);
    }
    return Math.min(...timesMs);
  };
  const knownMs = await fastestMs(() => isPassword("the wrong password", hash));
  const unknownMs = await fastestMs(() => isPassword("the wrong password", undefined));
  // A missing or cheaper hash would make one of them many times faster.
  expect(unknownMs / knownMs).toBeGreaterThan(0.5);
  expect(unknownMs / knownMs).toBeLessThan(2);
});
