import { DrizzleQueryError } from "drizzle-orm/errors";
import postgres from "postgres";
import { expect, test } from "vitest";
import { createRecordingLog } from "../../tests/support/log.ts";
import { servers } from "../../tests/support/servers.ts";
import { until } from "../../tests/support/until.ts";
import { AppError } from "../errors.ts";
import { connectRedis } from "../redis.ts";
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

test("an error of PostgreSQL is logged without the row that it was about", async () => {
  const sql = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`create temporary table holders (email text unique)`;
    await sql`insert into holders values ('ada@example.com')`;
    const error = await sql`insert into holders values (${"ada@example.com"})`.catch((error) => error);
    expect(error.detail).toContain("ada@example.com");
    const line = JSON.stringify(serializeError(error));
    expect(line).not.toContain("ada@example");
    expect(line).toContain("holders_email_key");
  } finally {
    await sql.end();
  }
});

test("a refused command of Redis is logged by its name, without what it was sent with", async () => {
  const { log, lines } = createRecordingLog();
  const url = new URL(servers.redisUrl);
  url.password = "a-wrong-password";
  const redis = connectRedis(url.href, log);
  try {
    const { err } = await until("the refusal is logged", () => lines.find(({ msg }) => msg === "redis"));
    expect(err).toMatchObject({ command: "hello", message: expect.stringContaining("WRONGPASS") });
    expect(JSON.stringify(lines)).not.toContain("a-wrong-password");
  } finally {
    redis.disconnect();
  }
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
