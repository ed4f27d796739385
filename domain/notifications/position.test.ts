import { expect, test } from "vitest";
import { cursorsOf } from "../../lib/cursor.ts";
import { newId } from "../../lib/ids.ts";
import { decodePosition, encodePosition, START } from "./position.ts";

test("a cursor that a client has kept for months is still the one that is made of its position", () => {
  const kept = "WzQyLCIwMTk5YjFiMi04YzIxLTdlNTUtYTBkMy05YjhjN2Q2ZTVmNDAiXQ";
  const position = [42, "0199b1b2-8c21-7e55-a0d3-9b8c7d6e5f40"] as const;
  expect(decodePosition(kept)).toEqual(position);
  expect(encodePosition(position)).toBe(kept);
  expect(decodePosition(encodePosition(START))).toEqual(START);
});

test("the cursor of another service's list is none of ours", () => {
  expect(() => decodePosition(cursorsOf("promotions").encode(newId()))).toThrow(
    expect.objectContaining({ code: "invalid_cursor" }),
  );
});
