import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { openApiDocuments } from "../functions/documents.ts";
import { lintAsyncApi, lintOpenApi } from "./documents.ts";
import { ROOT } from "./plan/layout.ts";

const asyncApi = readFileSync(path.join(ROOT, "docs/asyncapi.yaml"), "utf8");

test("an OpenAPI document that says nothing of security, or has a body that nothing satisfies, is found out", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: the test breaks it
  const { users } = (await openApiDocuments()) as Record<string, any>;
  delete users.paths["/api/v1/auth/login"].post.security;
  const { Staff } = users.components.schemas;
  Staff.allOf = [{ $ref: "#/components/schemas/Credentials" }];
  const report = await lintOpenApi({ users });
  expect(report).toContain("security-defined");
  expect(report).toContain("no-invalid-schema-examples");
});

test("an OpenAPI document against which Redocly only warns is found out", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: the test breaks it
  const { notifications } = (await openApiDocuments()) as Record<string, any>;
  delete notifications.info.license;
  expect(await lintOpenApi({ notifications })).toContain("info-license");
});

test.each([
  ["a message that is not there", "#/components/messages/ReadyFrame", "#/components/messages/Gone"],
  ["a binding of the wrong type", "partitions: 12", "partitions: a dozen"],
  ["an older version of AsyncAPI", /^asyncapi: .*/m, "asyncapi: 3.0.0"],
])("an AsyncAPI document with %s is found out", async (_, right, wrong) => {
  const broken = asyncApi.replace(right, wrong);
  expect(broken).not.toBe(asyncApi);
  expect(await lintAsyncApi(broken)).not.toBe("");
});
