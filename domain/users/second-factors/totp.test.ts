import { Secret } from "otpauth";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newTotpSecret, otpauthUri, totpStep } from "./totp.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

/** RFC 6238, appendix B, SHA-1: the last six of its eight digits. */
const RFC_SECRET = Secret.fromLatin1("12345678901234567890").base32;
test.each([
  [59, "287082"],
  [1_111_111_109, "081804"],
  [1_111_111_111, "050471"],
  [1_234_567_890, "005924"],
  [2_000_000_000, "279037"],
  [20_000_000_000, "353130"],
])("at second %i the code is the RFC's, and its step is known one step before and after", (second, code) => {
  const step = Math.floor(second / 30);
  for (const [steps, expected] of [
    [-2, undefined],
    [-1, step],
    [0, step],
    [1, step],
    [2, undefined],
  ] as const) {
    vi.setSystemTime((second + steps * 30) * 1_000);
    expect(totpStep(RFC_SECRET, code), `${steps} steps from it`).toBe(expected);
  }
});

test.each(["", "28708", "2870822", "28708x", "٢٨٧٠٨٢", " 287082"])("%j is no code", (code) => {
  vi.setSystemTime(59_000);
  expect(totpStep(RFC_SECRET, code)).toBeUndefined();
});

test("a secret has 160 bits and is another one each time; its address says what apps need", () => {
  const secret = newTotpSecret();
  expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(newTotpSecret()).not.toBe(secret);
  const uri = new URL(otpauthUri(secret, { issuer: "casino.example", account: "ada+1@example.com" }));
  expect(uri.href).toMatch(/^otpauth:\/\/totp\/casino\.example:ada%2B1%40example\.com\?/);
  expect(Object.fromEntries(uri.searchParams)).toEqual({
    issuer: "casino.example",
    secret,
    algorithm: "SHA1",
    digits: "6",
    period: "30",
  });
});
