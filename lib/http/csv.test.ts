import { Hono } from "hono";
import { expect, test } from "vitest";
import { toCsv, toCsvLine, wantsCsv } from "./csv.ts";

test("a document has a header, lines that end with CR LF, and quotes where RFC 4180 wants them", () => {
  const rows = [
    ["plain", 5, null],
    ['says "no", twice', -1, "two\r\nlines"],
  ];
  expect(toCsv(["a", "b", "c"], rows)).toBe('a,b,c\r\nplain,5,\r\n"says ""no"", twice",-1,"two\r\nlines"\r\n');
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠1"])(
  "%j is no formula any more",
  (text) => {
    const line = toCsvLine([text]);
    expect(line.replaceAll('"', "")).toBe(`'${text}\r\n`);
  },
);

test.each(['="a","b"', "-2,5"])("%j stays in its cell, and is no formula", (text) => {
  expect(toCsvLine([text])).toBe(`"'${text.replaceAll('"', '""')}"\r\n`);
});

test("what only contains such a character, and a negative number, stay as they are", () => {
  expect(toCsvLine(["10% = more", "a-b", " =1", -5])).toBe("10% = more,a-b, =1,-5\r\n");
});

test.each<[accept: string | undefined, csv: boolean]>([
  [undefined, false],
  ["*/*", false],
  ["application/json, text/plain, */*", false],
  ["text/csv", true],
  ["text/csv, */*;q=0.1", true],
  ["text/csv;q=0.5, application/json", false],
  ["application/json;q=0.5, text/csv", true],
  ["image/png", false],
])("who accepts %j is given CSV: %j", async (accept, csv) => {
  const app = new Hono().get("/", (c) => c.json(wantsCsv(c)));
  const response = await app.request("/", accept === undefined ? {} : { headers: { accept } });
  expect(await response.json()).toBe(csv);
});
