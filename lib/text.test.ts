import { expect, test } from "vitest";
import { textSchema } from "./http/schemas.ts";

const schema = textSchema(20);
const messagesOf = (text: string) => schema.safeParse(text).error?.issues.map(({ message }) => message);

test.each([
  ["nothing", ""],
  ["spaces", " \t\r\n"],
  ["no-break and ideographic spaces", "\u00a0\u3000"],
  ["zero-width characters", "\u200b\u200c\u200d\u2060"],
  ["byte-order marks", "\ufeff\ufeff"],
  ["marks of direction", "\u202e\u2066\u2069\u200f\u061c"],
  ["soft hyphens", "\u00ad"],
  ["controls", "\u0001\u007f\u0085"],
  ["Hangul fillers", "\u3164\u115f\uffa0"],
  ["variation selectors", "\ufe0f\u{e0100}"],
  ["tags", "\u{e0061}\u{e007f}"],
  ["blank Braille patterns", "\u2800"],
  ["all of these in between spaces", " \u200b \ufeff \u3164 "],
])("a text of %s only is empty", (_, text) => {
  expect(messagesOf(text)).toEqual(["must not be empty"]);
});

test.each(["\ud800", "a\ud800b", "\udc00\ud800", "\ude00 🎰"])("a lone surrogate is refused: %j", (text) => {
  expect(messagesOf(text)).toEqual(["must not contain lone surrogates"]);
});

test("NUL is refused", () => {
  expect(messagesOf("a\0b")).toEqual(["must not contain NUL characters"]);
});

test.each(["👩‍👩‍👧", "می‌خواهم", "e\u0301", "\u200bseen", "\u202eabc", "🎰", "\ufffd", "\u0300"])(
  "text of which something can be seen is taken as it is: %j",
  (text) => {
    expect(schema.parse(text)).toBe(text);
  },
);
