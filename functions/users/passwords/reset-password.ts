import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { resetPassword } from "../../../domain/users/passwords/reset-password.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";
import { chosenPasswordSchema, EXAMPLE_LINK_TOKEN, linkTokenSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({ token: linkTokenSchema, newPassword: chosenPasswordSchema })
  .openapi("ResetPassword", { example: { token: EXAMPLE_LINK_TOKEN, newPassword: "staple, and a new horse" } });

export interface ResetPasswordDeps {
  ctx: UsersContext;
}

/** Who got the link chooses a new password. */
export function registerResetPasswordRoute(app: HttpApp, { ctx }: ResetPasswordDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/password/reset",
      operationId: "resetPassword",
      tags: ["Auth"],
      summary: "Choose a new password with the link of a mail",
      description:
        "All sessions end, all other links of the account are void, and a player gets the notification `ACCOUNT`. The address counts as " +
        "verified. A suspended account stays suspended.",
      security: [],
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        204: { description: "The new password is the one to log in with." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `link_invalid`, `password_is_address`",
          503: "`sessions_unavailable`, `database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { userId } = await resetPassword(ctx, { ...c.req.valid("json"), traceparent: c.get("traceparent") });
      c.get("logFields").userId = userId;
      return c.body(null, 204);
    },
  );
}
