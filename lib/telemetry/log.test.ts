import { DrizzleQueryError } from "drizzle-orm/errors";
import { expect, test } from "vitest";
import { AppError } from "../errors.ts";
import { serializeError } from "./log.ts";

const failedQuery = () =>
  new DrizzleQueryError(
    "insert into users values ($1, $2)",
    ["ada@example.com", "line one\n    at line two $argon2id$hash"],
    new Error("connection lost"),
  );

test.each<[string, () => Error]>([
  ["itself", failedQuery],
  ["the cause of another error", () => new AppError("unavailable", "x", "Try again.", { cause: failedQuery() })],
])("a failed query that is %s is logged with its statement and reason, without its values", (_, make) => {
  const line = JSON.stringify(serializeError(make()));
  expect(line).not.toMatch(/ada@example|argon2id|line two/);
  expect(line).toContain("insert into users values ($1, $2)");
  expect(line).toContain("connection lost");
});

test("any other error is logged whole, with its fields", () => {
  const error = Object.assign(new Error("went wrong"), { code: "E_TEST" });
  expect(serializeError(error)).toMatchObject({
    type: "Error",
    message: "went wrong",
    code: "E_TEST",
    stack: error.stack,
  });
});
