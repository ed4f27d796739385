import { describe, expect, test } from "vitest";
import { z } from "zod";
import { cursorsOf, decodeCursor, encodeCursor, toPage } from "./cursor.ts";
import { newId } from "./ids.ts";

const id = newId();
const list = cursorsOf("things");
const invalid = expect.objectContaining({ code: "invalid_cursor" });

test("a cursor comes back as the position it was made of", () => {
  expect(list.decode(list.encode(id))).toBe(id);
  const position = z.tuple([z.int(), z.guid()]);
  expect(decodeCursor(encodeCursor([7, id]), position)).toEqual([7, id]);
});

test.each([
  "",
  "x",
  "e30",
  encodeCursor([id]),
  encodeCursor(["things"]),
  encodeCursor(["things", "not-an-id"]),
  encodeCursor(["things", id, "more"]),
  encodeCursor([7, id]),
  "🎰",
])("what is no cursor of ours is refused: %s", (cursor) => {
  expect(() => list.decode(cursor)).toThrow(invalid);
});

test("no list takes the cursor of another", () => {
  expect(() => list.decode(cursorsOf("others").encode(id))).toThrow(invalid);
});

describe("a cursor is taken only as it was given", () => {
  const cursor = list.encode(id);
  const written = (json: string) => Buffer.from(json).toString("base64url");
  test.each([
    ["with a character at the end", `${cursor}A`],
    ["with a line break at the end", `${cursor}\n`],
    ["with a space in it", `${cursor.slice(0, 8)} ${cursor.slice(8)}`],
    ["padded", `${cursor}=`],
    ["with another after it", `${cursor}.${cursor}`],
    [
      "in the other alphabet",
      Buffer.from(JSON.stringify(["things", id]))
        .toString("base64")
        .replace(/=*$/, "=="),
    ],
    ["with white space inside", written(`["things", "${id}"]`)],
    ["with an escape inside", written(`["\\u0074hings","${id}"]`)],
    ["cut short", cursor.slice(0, -1)],
  ])("%s it is refused", (_, changed) => {
    expect(() => list.decode(changed)).toThrow(invalid);
  });

  test.each(["7.0", "7e0", "-0", "7.0000000000000000001"])("with %s for its number it is refused", (number) => {
    const position = z.tuple([z.int(), z.guid()]);
    expect(() => decodeCursor(written(`[${number},"${id}"]`), position)).toThrow(invalid);
  });
});

test("only a page with more rows behind it has a next cursor", () => {
  const rows = [newId(), newId(), newId()];
  expect(toPage(rows, 3, list.encode)).toEqual({ data: rows, nextCursor: null });
  expect(toPage(rows, 2, list.encode)).toEqual({ data: rows.slice(0, 2), nextCursor: list.encode(rows[1] as string) });
  expect(toPage([], 2, list.encode)).toEqual({ data: [], nextCursor: null });
});
