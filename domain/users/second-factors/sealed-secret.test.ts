import { expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { openSecret, sealSecret } from "./sealed-secret.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

test("a secret opens for its user and with its key only, and not when a bit of it was changed", () => {
  const userId = newId();
  const sealed = sealSecret(KEY, userId, SECRET);
  expect(openSecret(KEY, userId, sealed)).toBe(SECRET);
  const bytes = Buffer.from(sealed, "base64url");
  const changed = [0, 12, bytes.length - 1].map((index) => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
    return copy.toString("base64url");
  });
  for (const [key, id, text] of [
    [KEY, newId(), sealed],
    [`${KEY}x`, userId, sealed],
    ...changed.map((text) => [KEY, userId, text] as const),
    [KEY, userId, sealed.slice(0, -4)],
    [KEY, userId, ""],
  ] as const) {
    expect(() => openSecret(key, id, text)).toThrow();
  }
});

test("nothing of a secret shows, and sealed again it is another text", () => {
  const userId = newId();
  const [first, second] = [sealSecret(KEY, userId, SECRET), sealSecret(KEY, userId, SECRET)];
  expect(first).not.toBe(second);
  expect(Buffer.from(first, "base64url").toString("latin1")).not.toContain(SECRET.slice(0, 4));
});
