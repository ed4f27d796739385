import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { baseConfig, field, loadConfig } from "./config.ts";

const schema = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl,
  KAFKA_BROKERS: field.kafkaBrokers,
  SERVICE_TOKEN: field.secret,
});

test("bad configuration stops the boot with one message that names every wrong variable", () => {
  const env = { INTERNAL_PORT: "99999", DATABASE_URL: "mysql://x", KAFKA_BROKERS: "kafka" };
  expect(() => loadConfig(schema, env)).toThrow(
    /INTERNAL_PORT: [\s\S]*DATABASE_URL: must be a URL that starts with postgres[\s\S]*KAFKA_BROKERS: must be a comma-separated list of host:port[\s\S]*SERVICE_TOKEN: is required/,
  );
});

test("a secret can be given as a file, and an unreadable file is named", () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "config-")), "token");
  writeFileSync(file, `${"s".repeat(40)}\n`);
  const env = { INTERNAL_PORT: "9000", DATABASE_URL: "postgres://u@h/d", KAFKA_BROKERS: "a:1, b:2" };
  const config = loadConfig(schema, { ...env, SERVICE_TOKEN_FILE: file });
  expect(config).toMatchObject({ SERVICE_TOKEN: "s".repeat(40), KAFKA_BROKERS: ["a:1", "b:2"], LOG_LEVEL: "info" });
  expect(() => loadConfig(schema, { ...env, SERVICE_TOKEN_FILE: `${file}.gone` })).toThrow(
    /SERVICE_TOKEN_FILE: .*ENOENT/,
  );
});
