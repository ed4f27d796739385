import { afterAll, beforeAll, expect, test } from "vitest";
import { createUsersClient, createUsersContext, createUsersDeps } from "../../tests/support/users-service.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
beforeAll(async () => {
  ctx = await createUsersContext();
  client = await createUsersClient(await createUsersDeps(ctx));
});
afterAll(() => ctx.stop());

interface Operation {
  operationId?: string;
  tags?: string[];
  requestBody?: { required?: boolean };
  responses: Record<string, unknown>;
  security?: unknown[];
}

test("the document names every route of the contract, each with an id, a tag and its error answers", async () => {
  const { body } = await client.send("GET /openapi.json");
  const operations = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, ...operation })),
  );
  expect(operations.map(({ route }) => route).sort()).toEqual([
    "DELETE /api/v1/auth/sessions/{id}",
    "DELETE /api/v1/auth/totp",
    "DELETE /api/v1/users/{id}/totp",
    "GET /.well-known/jwks.json",
    "GET /api/v1/audit",
    "GET /api/v1/auth/sessions",
    "GET /api/v1/ledger",
    "GET /api/v1/transactions",
    "GET /api/v1/users",
    "GET /api/v1/users/me",
    "GET /api/v1/users/{id}",
    "GET /api/v1/users/{id}/transactions",
    "PATCH /api/v1/users/{id}/status",
    "PATCH /api/v1/users/{id}/verification",
    "POST /api/v1/auth/email",
    "POST /api/v1/auth/email/verify",
    "POST /api/v1/auth/invitation/accept",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/logout-all",
    "POST /api/v1/auth/password",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/register-staff",
    "POST /api/v1/auth/second-factor",
    "POST /api/v1/auth/totp",
    "POST /api/v1/auth/totp/confirm",
  ]);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { route, tags, responses, security } of operations) {
    expect(tags, route).toHaveLength(1);
    expect(Object.keys(responses), route).toContain("500");
    if (security?.length) expect(Object.keys(responses), route).toContain("401");
  }
  expect(body.servers).toEqual([{ url: "/users" }]);
});
