import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { changePassword } from "../../../domain/users/passwords/change-password.ts";
import { presentedPasswordSchema } from "../../../domain/users/passwords/credentials.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";
import { chosenPasswordSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({ currentPassword: presentedPasswordSchema, newPassword: chosenPasswordSchema })
  .openapi("ChangePassword", {
    example: { currentPassword: "correct horse battery", newPassword: "staple, and a new horse" },
  });

export interface ChangePasswordDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** A user changes their own password. */
export function registerChangePasswordRoute(app: HttpApp, { ctx, verifyToken }: ChangePasswordDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/password",
      operationId: "changePassword",
      tags: ["Account"],
      summary: "Change your password",
      description:
        "All your other sessions end, and a player gets the notification `ACCOUNT`. Wrong current passwords are counted as failed logins are.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        204: { description: "The new password is the one to log in with." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `password_is_address`",
          403: "`session_restricted`, `current_password_wrong`, `account_suspended`, `account_self_excluded`",
          404: "`user_not_found`",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { id: userId, sessionId } = principalOf(c);
      await changePassword(ctx, {
        ...c.req.valid("json"),
        userId,
        sessionId,
        address: clientOf(c).address,
        traceparent: c.get("traceparent"),
      });
      return c.body(null, 204);
    },
  );
}
