import { expect, test } from "vitest";
import { decodeCursor, encodeCursor, idPosition, toPage } from "./cursor.ts";
import { newId } from "./ids.ts";

test("a cursor comes back as the position it was made of", () => {
  const id = newId();
  expect(decodeCursor(encodeCursor([id]), idPosition)).toEqual([id]);
});

test.each(["", "x", "e30", encodeCursor(["not-an-id"]), encodeCursor([newId(), "more"]), "🎰"])(
  "what is no cursor of ours is refused: %s",
  (cursor) => {
    expect(() => decodeCursor(cursor, idPosition)).toThrow(expect.objectContaining({ code: "invalid_cursor" }));
  },
);

test("only a page with more rows behind it has a next cursor", () => {
  const rows = [newId(), newId(), newId()];
  const position = (row: string) => [row];
  expect(toPage(rows, 3, position)).toEqual({ data: rows, nextCursor: null });
  expect(toPage(rows, 2, position)).toEqual({ data: rows.slice(0, 2), nextCursor: encodeCursor([rows[1] as string]) });
  expect(toPage([], 2, position)).toEqual({ data: [], nextCursor: null });
});
