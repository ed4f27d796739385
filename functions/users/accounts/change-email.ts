import { createRoute, z } from "@hono/zod-openapi";
import { askEmailChange } from "../../../domain/users/accounts/ask-email-change.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import { emailSchema, presentedPasswordSchema } from "../../../domain/users/passwords/credentials.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";

const requestSchema = z
  .strictObject({ newEmail: emailSchema, currentPassword: presentedPasswordSchema })
  .openapi("ChangeEmail", { example: { newEmail: "ada@example.com", currentPassword: "correct horse battery" } });

export interface ChangeEmailDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** A user wants another address, or to verify the one they have. */
export function registerChangeEmailRoute(app: HttpApp, { ctx, verifyToken }: ChangeEmailDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/email",
      operationId: "changeEmail",
      tags: ["Account"],
      summary: "Ask for a link to change or verify your e-mail address",
      description:
        "The address changes when the link that is mailed to it is used, within a day; the old one is told. Your present address as " +
        "`newEmail` means that you want to verify it. Whether somebody else has the address is not told here. Wrong current " +
        "passwords are counted as failed logins are.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        202: { description: "A mail is on its way to the address." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `current_password_wrong`, `account_suspended`, `account_self_excluded`",
          404: "`user_not_found`",
          429: "`too_many_attempts`",
          503: "`database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = principalOf(c);
      await askEmailChange(ctx, { ...c.req.valid("json"), userId, address: clientOf(c).address });
      return c.body(null, 202);
    },
  );
}
