import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { resetSecondFactor } from "../../../domain/users/second-factors/reset-second-factor.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, jsonBody, noQuery, textSchema } from "../../../lib/http/schemas.ts";

const requestSchema = z
  .strictObject({ reason: textSchema(500).openapi({ description: "Kept for the audit." }) })
  .openapi("ResetSecondFactor", { example: { reason: "Lost phone, ticket 4711" } });

export interface ResetFactorDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** An admin helps somebody who has lost their second factor and its recovery codes. */
export function registerResetFactorRoute(app: HttpApp, { ctx, verifyToken }: ResetFactorDeps): void {
  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/v1/users/{id}/totp",
      operationId: "resetSecondFactor",
      tags: ["Users (staff)"],
      summary: "Reset a user's second factor (admin)",
      description:
        "For who has lost it. All their sessions end; staff who need one set up another at their next login. Nobody resets their " +
        "own. The same again changes nothing, but ends their sessions again.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "admin"),
      request: { query: noQuery, params: idParams, body: jsonBody(requestSchema) },
      responses: {
        204: { description: "The password alone opens the account, as far as its role allows." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `account_suspended`, `account_self_excluded`, `own_second_factor`",
          404: "`user_not_found`",
          503: "`sessions_unavailable`: the factor is reset, but sessions may be left; `database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = c.req.valid("param");
      c.get("logFields").userId = userId;
      await resetSecondFactor(ctx, {
        ...c.req.valid("json"),
        userId,
        actor: principalOf(c),
        requestId: c.get("requestId"),
      });
      return c.body(null, 204);
    },
  );
}
