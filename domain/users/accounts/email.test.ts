import { describe, expect, test } from "vitest";
import { canonicalEmail, canonicalEmailPrefix } from "./email.ts";

test.each([
  ["ada@example.com", "ada@example.com"],
  ["Ada.L@EXAMPLE.Com", "Ada.L@example.com"],
  ["ada@bücher.example", "ada@xn--bcher-kva.example"],
  ["ada@BÜCHER.example", "ada@xn--bcher-kva.example"],
  ["ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"],
  ["ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"],
  ["ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"],
  ["ada@xn--e1afmkfd.xn--p1ai", "ada@xn--e1afmkfd.xn--p1ai"],
  ["ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"],
  ["ada@ｅｘａｍｐｌｅ.com", "ada@example.com"],
  ["ada@faß.example", "ada@xn--fa-hia.example"],
  ["o'hara+x@a-b.co", "o'hara+x@a-b.co"],
])("%s is stored as %s", (address, stored) => {
  expect(canonicalEmail(address)).toBe(stored);
  expect(canonicalEmail(stored)).toBe(stored);
});

describe("no address:", () => {
  test.each([
    "",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@.com",
    "ada@example..com",
    "ada@example.com.",
    "ada@127.0.0.1",
    "ada@0x7f.1",
    "ada@[::1]",
    "ada@ex%61mple.com",
    "ada@％65xample.com",
    "ada@example.com:80",
    "ada@example.com/x",
    "ada@exam\nple.com",
    "ada@a b.com",
    "ada@a_b.com",
    "ada@xn--.com",
    "ada@xn--zzzz.com",
    "ada@xn--bcher-kvb.example",
    "ada@a\u200db.com",
    "ada@\u0301a.com",
    "ada@\ud800.com",
    `ada@${"ü".repeat(60)}.example`,
    `ada@${"a".repeat(64)}.example`,
    `ada@${"ü.".repeat(60)}example`,
    "a..b@example.com",
    ".a@example.com",
    "ä@example.com",
    "a b@example.com",
    "ada@x@example.com",
  ])("%s", (address) => {
    expect(canonicalEmail(address)).toBeUndefined();
  });
});

test.each([
  ["ada", "ada"],
  ["ada@", "ada@"],
  ["ada@exa", "ada@exa"],
  ["Ada@EXA", "Ada@EXA"],
  ["ada@xn--bch", "ada@xn--bch"],
  ["ada@bücher", "ada@xn--bcher-kva"],
  ["ada@bücher.", "ada@xn--bcher-kva."],
  ["ada@Bücher.ex", "ada@xn--bcher-kva.ex"],
  ["ada@ü%", "ada@ü%"],
  ["ä", "ä"],
])("the beginning %s is searched for as %s", (prefix, searched) => {
  expect(canonicalEmailPrefix(prefix)).toBe(searched);
});
