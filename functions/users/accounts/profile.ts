import { createRoute } from "@hono/zod-openapi";
import { getUser } from "../../../domain/users/accounts/get-user.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import { toUserJson, userSchema } from "../schemas.ts";

export interface ProfileDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** A user sees their own account. */
export function registerProfileRoute(app: HttpApp, { ctx, verifyToken }: ProfileDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/users/me",
      operationId: "getOwnProfile",
      tags: ["Account"],
      summary: "Your own profile, with the balance",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery },
      responses: {
        200: jsonResponse("Your profile.", userSchema),
        ...problemResponses({
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`",
          404: "`user_not_found`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => c.json(toUserJson(await getUser(ctx, { userId: principalOf(c).id })), 200),
  );
}
