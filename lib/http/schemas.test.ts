import { expect, test } from "vitest";
import { limitSchema, timeInputSchema } from "./schemas.ts";

test.each([
  ["1", 1],
  ["100", 100],
  ["007", 7],
  [undefined, 20],
])("the limit %s is %d", (text, limit) => {
  expect(limitSchema.parse(text)).toBe(limit);
});

test.each(["0x10", "0b1", "0o7", "1e1", "+5", "-5", " 5", "5 ", "5\n", "5.0", "1_0", "٥", "Infinity", "0", "101", ""])(
  "%j is no limit",
  (text) => {
    expect(limitSchema.safeParse(text).success).toBe(false);
  },
);

test.each([
  ["2026-11-24t20:00:00z", "2026-11-24T20:00:00.000Z"],
  ["2026-11-24t20:00:00Z", "2026-11-24T20:00:00.000Z"],
  ["2026-11-24T20:00:00z", "2026-11-24T20:00:00.000Z"],
  ["2026-11-24t22:00:00.5+02:00", "2026-11-24T20:00:00.500Z"],
  ["2028-02-29T00:00:00-00:00", "2028-02-29T00:00:00.000Z"],
])("%s is the time %s", (text, time) => {
  expect(timeInputSchema.parse(text).toISOString()).toBe(time);
});

test.each([
  "2026-11-24 20:00:00Z",
  "2026-11-24T20:00:00",
  "2026-11-24T20:00:00U",
  "2026-12-31T23:59:60Z",
  "2026-11-24T24:00:00Z",
  "2026-02-29T00:00:00Z",
  "2026-11-24T20:00:00+24:00",
  "2026-11-24T20:00:00Z\n",
  "1999-12-31T23:59:59Z",
])("%j is no time of ours", (text) => {
  expect(timeInputSchema.safeParse(text).success).toBe(false);
});
