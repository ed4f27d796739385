import { describe, expect, test } from "vitest";
import { parseJson } from "./json.ts";

test.each([
  ["2000", 2000],
  ["2e3", 2000],
  ["2E+3", 2000],
  ["20000e-1", 2000],
  ["2000.0", 2000],
  ["2000.00e0", 2000],
  ["-0.0", -0],
  ["0e-9", 0],
  ["0.00001e5", 1],
  ["0.5", 0.5],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
])("the number %s is %d", (text, value) => {
  expect(parseJson(text)).toBe(value);
});

test.each([
  "1999.9999999999999999",
  "2000.0000000000000001",
  "19999999999999999999e-16",
  "9007199254740991.5",
  "1e-400",
])("a number that only rounding makes an integer is none: %s", (text) => {
  expect(parseJson(`{"amountMinor": [${text}]}`)).toEqual({ amountMinor: [Number.NaN] });
});

describe("an object names each field once", () => {
  test.each([
    '{"amountMinor":1,"amountMinor":2}',
    '{"amountMinor":1, "amountMinor" :1}',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":2}',
    '[{"a":{"b":[{"c":1,"c":2}]}}]',
  ])("%s is refused", (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });

  test.each([
    '{"a":1,"b":{"a":1,"b":[{"a":1},{"a":1}]}}',
    '{"a\\"":":","b":"\\"c\\":","d\\\\":"\\\\"}',
    '{"__proto__":1,"constructor":2,"":3}',
    '["a",":",":"]',
    '":"',
    "{}",
  ])("%s is taken", (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });
});

test.each(["", "{", '{"a":}', "01", "1.", "+1", "NaN", '"\u0001"', "[1,]", "\ufeff1"])("%j is no JSON", (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError);
});

test("a body that is made to take long is read fast", () => {
  const mega = 1_000_000;
  const texts = [
    `[1${"0".repeat(mega)}1.0${"0".repeat(mega)}]`,
    `["${'\\"'.repeat(mega / 2)}"]`,
    `["a"${" ".repeat(mega)}]`,
    `["${"x".repeat(mega)}"]`,
  ];
  const startedAt = performance.now();
  for (const text of texts) parseJson(text);
  // Milliseconds where the time grows with the length, hours where it grows with its square.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
