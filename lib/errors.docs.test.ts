import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { Status } from "nice-grpc-common";
import { expect, test } from "vitest";
import type { ErrorKind } from "./errors.ts";
import { toGrpcStatus } from "./grpc/status.ts";
import { toHttpStatus } from "./http/problem.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
const DOCUMENT = "docs/errors.md";

const REJECTIONS = "Rejected players of an assignment";
const SOCKET = "WebSocket";

/** The document's sections, and which sources belong to each; the first that fits counts. */
const SECTIONS: [heading: string, sources: RegExp][] = [
  ["Balance over gRPC", /^(lib\/grpc\/|functions\/users\/ledger\/grpc\.ts|domain\/users\/ledger\/add-transaction\.ts)/],
  ["Jobs", /^(jobs\/|domain\/users\/(accounts\/create-admin|second-factors\/reset-lost-factor)\.ts)/],
  ["Users", /^(functions|domain)\/users\//],
  ["Promotions", /^(functions|domain)\/promotions\//],
  ["Notifications", /^(functions|domain)\/notifications\//],
  [SOCKET, /^gateway\//],
  ["nginx", /^nginx\//],
  ["Every service", /^lib\//],
];
/** What uWebSockets.js does by itself, with a frame that is too large or a connection that broke. */
const CLOSED_WITHOUT_CLOSE_FRAME = "1006";

const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

const files = [
  ...globSync("{lib,domain,functions,workers,gateway,jobs}/**/*.ts", { cwd: ROOT }).filter(
    (file) => !file.endsWith(".test.ts") && file !== "lib/errors.ts",
  ),
  "nginx/problem-texts.conf",
].sort();

/** @returns `section: code status` of every error code that the sources use */
function usedCodes(): string[] {
  const used = new Set<string>();
  for (const file of files) {
    const text = read(file);
    const section = SECTIONS.find(([, sources]) => sources.test(file))?.[0];
    const add = (code: string, status: string, heading = section) => {
      if (heading === undefined) throw new Error(`${file} has the error code ${code} and belongs to no section`);
      used.add(`${heading}: ${code} ${status}`);
    };
    for (const [kind, code] of thrownIn(file, text)) add(code, statusOf(kind, section));
    for (const [, status, code] of text.matchAll(/status: (\d{3}),[^}]*?\bcode: "(\w+)"/g)) {
      add(code as string, status as string);
    }
    for (const [, code] of text.matchAll(/ServerError\(Status\.INTERNAL, "(\w+):/g)) add(code as string, "INTERNAL");
    for (const [, status, code] of text.matchAll(/^ +(\d{3}|default) '.*?"code":"(\w+)"/gm)) {
      add(code as string, status === "default" ? "others" : (status as string));
    }
    const rejections = /type RejectionCode =\s+([^;]+);/.exec(text)?.[1] ?? "";
    for (const [, code] of rejections.matchAll(/"(\w+)"/g)) add(code as string, "200", REJECTIONS);
    for (const [, code] of text.matchAll(/errorFrame\("(\w+)"\)/g)) add(code as string, "frame");
    if (file === "gateway/close-codes.ts") {
      for (const [, code] of text.matchAll(/return (\d{4});/g)) add(code as string, "close");
    }
  }
  // What the verbs that the gateway calls throw goes into a frame; a token that is not good ends the connection.
  for (const file of importedBy("gateway/main.ts")) {
    for (const [kind, code] of thrownIn(file, read(file))) {
      if (kind !== "unauthenticated" && code !== "session_restricted") used.add(`${SOCKET}: ${code} frame`);
    }
  }
  used.add(`${SOCKET}: ${CLOSED_WITHOUT_CLOSE_FRAME} close`);
  return [...used].sort();
}

/** @returns the file and all of our own that it imports, directly or not */
function importedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file) || !files.includes(file)) return found;
  found.add(file);
  for (const [, specifier] of read(file).matchAll(/from "(\.[^"]+)"/g)) {
    importedBy(path.join(path.dirname(file), specifier as string), found);
  }
  return found;
}

/** @returns kind and code of every AppError; one that is no literal can't be documented and fails */
function thrownIn(file: string, text: string): [ErrorKind, string][] {
  const all = text.match(/new AppError\(|(?<!\w)unavailable\(/g) ?? [];
  const thrown = [
    ...[...text.matchAll(/new AppError\(\s*"(\w+)",\s*"(\w+)"/g)].map(([, kind, code]) => [kind, code]),
    ...[...text.matchAll(/(?<!\w)unavailable\(\s*"(\w+)"/g)].map(([, code]) => ["unavailable", code]),
  ] as [ErrorKind, string][];
  expect(thrown.length, `${file}: every AppError has its kind and its code as literals`).toBe(all.length);
  return thrown;
}

function statusOf(kind: ErrorKind, section: string | undefined): string {
  if (section === "Jobs") return "exit 1";
  return section === "Balance over gRPC" ? (Status[toGrpcStatus(kind)] as string) : String(toHttpStatus(kind));
}

/** @returns `section: code status` of every row of the document's tables */
function documentedCodes(): string[] {
  const documented: string[] = [];
  let section = "";
  for (const line of read(DOCUMENT).split("\n")) {
    section = /^#{2,3} (.+)$/.exec(line)?.[1] ?? section;
    const row = /^\| `(\w+)` +\| ([\w ]*\w) +\|/.exec(line);
    if (row !== null) documented.push(`${section}: ${row[1]} ${row[2]}`);
  }
  return documented.sort();
}

test("every error code in the sources is in docs/errors.md with its status, and the other way round", () => {
  expect(documentedCodes()).toEqual(usedCodes());
});

test("every code that an OpenAPI document promises is one that the service can answer, with that status", () => {
  const documented = new Set(documentedCodes());
  const promised = files
    .filter((file) => /^functions\/\w+\/|^lib\/http\/problem\.ts$/.test(file))
    .flatMap((file) => {
      const section = SECTIONS.find(([, sources]) => sources.test(file))?.[0];
      return [...read(file).matchAll(/^\s*(\d{3}): (["'].*?["']),?$/gm)].flatMap(([, status, text]) =>
        [...(text ?? "").matchAll(/`(\w+)`/g)].map(([, code]) => ({ file, section, entry: `${code} ${status}` })),
      );
    });
  expect(promised.length).toBeGreaterThan(0);
  const unknown = promised.filter(
    ({ section, entry }) => !documented.has(`${section}: ${entry}`) && !documented.has(`Every service: ${entry}`),
  );
  expect(unknown).toEqual([]);
});
