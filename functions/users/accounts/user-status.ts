import { createRoute, z } from "@hono/zod-openapi";
import { changeUserStatus } from "../../../domain/users/accounts/change-user-status.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, jsonBody, jsonResponse, noQuery, textSchema } from "../../../lib/http/schemas.ts";
import { statusSchema, toUserJson, userSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({
    status: statusSchema,
    reason: textSchema(500).openapi({ description: "Kept with the change, for the audit." }),
  })
  .openapi("StatusChange", { example: { status: "suspended", reason: "Chargeback, ticket 4711" } });

export interface UserStatusDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** Staff suspend, self-exclude or reactivate a user. */
export function registerUserStatusRoute(app: HttpApp, { ctx, verifyToken }: UserStatusDeps): void {
  app.openapi(
    createRoute({
      method: "patch",
      path: "/api/v1/users/{id}/status",
      operationId: "changeUserStatus",
      tags: ["Users (staff)"],
      summary: "Change a user's status",
      description:
        "A user who is not active loses all sessions and can neither log in nor claim. Only an admin may change the " +
        "status of staff, and nobody their own. The same status again changes nothing.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { query: noQuery, params: idParams, body: jsonBody(requestSchema) },
      responses: {
        200: jsonResponse("The user after the change.", userSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `account_suspended`, `account_self_excluded`, `own_status`, `admin_required`",
          404: "`user_not_found`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = c.req.valid("param");
      c.get("logFields").userId = userId;
      const user = await changeUserStatus(ctx, {
        ...c.req.valid("json"),
        userId,
        actor: principalOf(c),
        requestId: c.get("requestId"),
        traceparent: c.get("traceparent"),
      });
      c.get("logFields").newStatus = user.status;
      return c.json(toUserJson(user), 200);
    },
  );
}
