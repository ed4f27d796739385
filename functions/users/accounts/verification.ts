import { createRoute, z } from "@hono/zod-openapi";
import { changeVerification } from "../../../domain/users/accounts/change-verification.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, jsonBody, jsonResponse, noQuery, textSchema } from "../../../lib/http/schemas.ts";
import { toUserJson, userSchema, verifiedSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({
    verified: verifiedSchema,
    method: textSchema(100).openapi({ description: "How it was checked. No numbers of documents." }),
    reason: textSchema(500).openapi({ description: "Kept with the change, for the audit." }),
  })
  .openapi("VerificationChange", {
    example: { verified: true, method: "Identity card, seen by video", reason: "First withdrawal, ticket 4712" },
  });

export interface VerificationDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** Staff say whether a player's identity has been verified. */
export function registerVerificationRoute(app: HttpApp, { ctx, verifyToken }: VerificationDeps): void {
  app.openapi(
    createRoute({
      method: "patch",
      path: "/api/v1/users/{id}/verification",
      operationId: "changeVerification",
      tags: ["Users (staff)"],
      summary: "Say whether a player's identity is verified",
      description:
        "Promotions may require it. Promotions hears of the change a moment later. The same again changes nothing.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { query: noQuery, params: idParams, body: jsonBody(requestSchema) },
      responses: {
        200: jsonResponse("The player after the change.", userSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `account_suspended`, `account_self_excluded`",
          404: "`user_not_found`",
          409: "`not_a_player`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = c.req.valid("param");
      c.get("logFields").userId = userId;
      const user = await changeVerification(ctx, {
        ...c.req.valid("json"),
        userId,
        actor: principalOf(c),
        requestId: c.get("requestId"),
        traceparent: c.get("traceparent"),
      });
      c.get("logFields").verified = user.verified;
      return c.json(toUserJson(user), 200);
    },
  );
}
