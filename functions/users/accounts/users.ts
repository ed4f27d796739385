import { createRoute, z } from "@hono/zod-openapi";
import { getUser } from "../../../domain/users/accounts/get-user.ts";
import { searchUsers } from "../../../domain/users/accounts/search-users.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { actingOf, bearerSecurity, requireRole } from "../../../lib/http/auth.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, jsonResponse, noQuery, pageQuery, textSchema } from "../../../lib/http/schemas.ts";
import { roleSchema, statusSchema, toUserJson, userPage, userSchema } from "../schemas.ts";

const searchQuery = z.strictObject({
  q: textSchema(254).optional().openapi({
    description:
      "The beginning of an e-mail address, in any case, or a whole id. Labels of a Unicode domain must be whole.",
  }),
  role: roleSchema.optional(),
  status: statusSchema.optional(),
  ...pageQuery,
});

export interface UserDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** Staff search and look up users. */
export function registerUserRoutes(app: HttpApp, { ctx, verifyToken }: UserDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/users",
      operationId: "searchUsers",
      tags: ["Users (staff)"],
      summary: "Search users, newest first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { query: searchQuery },
      responses: {
        200: jsonResponse("A page of users.", userPage),
        ...problemResponses({
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`, `invalid_cursor`",
          403: "`session_restricted`, `role_not_allowed`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { data, nextCursor } = await searchUsers(ctx, { ...c.req.valid("query"), searchedBy: actingOf(c) });
      return c.json({ data: data.map(toUserJson), nextCursor }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/users/{id}",
      operationId: "getUser",
      tags: ["Users (staff)"],
      summary: "One user",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { query: noQuery, params: idParams },
      responses: {
        200: jsonResponse("The user.", userSchema),
        ...problemResponses({
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`",
          403: "`session_restricted`, `role_not_allowed`",
          404: "`user_not_found`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = c.req.valid("param");
      c.get("logFields").userId = userId;
      return c.json(toUserJson(await getUser(ctx, { userId, readBy: actingOf(c) })), 200);
    },
  );
}
