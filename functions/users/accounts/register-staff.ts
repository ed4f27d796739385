import { createRoute, z } from "@hono/zod-openapi";
import { registerStaff } from "../../../domain/users/accounts/register-staff.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import { credentials, refusingOwnAddress, toUserJson, userSchema } from "../schemas.ts";

// Not `extend`, of which the document would make an `allOf` with Credentials, which allows no field besides its own.
const requestSchema = refusingOwnAddress(
  z.strictObject({ ...credentials, role: z.enum(["staff", "admin"]).default("staff") }),
).openapi("Staff", { example: { email: "grace@example.com", password: "correct horse battery", role: "staff" } });

export interface RegisterStaffDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** An admin opens an account for a member of the staff. */
export function registerStaffRoute(app: HttpApp, { ctx, verifyToken }: RegisterStaffDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/register-staff",
      operationId: "registerStaff",
      tags: ["Auth"],
      summary: "Register a member of the staff (admin)",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "admin"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        201: jsonResponse("The account is open.", userSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `account_suspended`, `account_self_excluded`",
          409: "`email_taken`",
          503: "`database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const staff = await registerStaff(ctx, {
        ...c.req.valid("json"),
        actor: principalOf(c),
        requestId: c.get("requestId"),
      });
      Object.assign(c.get("logFields"), { userId: staff.id, role: staff.role });
      return c.json(toUserJson(staff), 201);
    },
  );
}
