import { expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { linkToken, parseLinkToken } from "./link-token.ts";

const KEY = "fedcba9876543210fedcba9876543210";

test("a token is that of its mail, and the same however often it is made", () => {
  const [id, other] = [newId(), newId()];
  const token = linkToken(KEY, id);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(linkToken(KEY, id)).toBe(token);
  expect(linkToken(KEY, other)).not.toBe(token);
  expect(parseLinkToken(KEY, token)).toBe(id);
});

test("with another key it is another token", () => {
  const token = linkToken(KEY, newId());
  expect(parseLinkToken("0123456789abcdef0123456789abcdef", token)).toBeUndefined();
});

test("whatever is changed of a token, it is none of ours", () => {
  const token = linkToken(KEY, newId());
  for (let index = 0; index < token.length; index++) {
    const changed = token[index] === "A" ? "B" : "A";
    expect(parseLinkToken(KEY, token.slice(0, index) + changed + token.slice(index + 1))).toBeUndefined();
  }
  for (const text of ["", " ", token.slice(1), `${token}A`, `${token}=`, "é".repeat(43), "/".repeat(43)]) {
    expect(parseLinkToken(KEY, text)).toBeUndefined();
  }
});
