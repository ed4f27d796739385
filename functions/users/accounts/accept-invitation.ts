import { createRoute, z } from "@hono/zod-openapi";
import { acceptInvitation } from "../../../domain/users/accounts/accept-invitation.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";
import { chosenPasswordSchema, EXAMPLE_LINK_TOKEN, linkTokenSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({ token: linkTokenSchema, password: chosenPasswordSchema })
  .openapi("AcceptInvitation", { example: { token: EXAMPLE_LINK_TOKEN, password: "correct horse battery" } });

export interface AcceptInvitationDeps {
  ctx: UsersContext;
}

/** Who was invited to the staff chooses their password. */
export function registerAcceptInvitationRoute(app: HttpApp, { ctx }: AcceptInvitationDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/invitation/accept",
      operationId: "acceptInvitation",
      tags: ["Auth"],
      summary: "Choose the first password with the link of an invitation",
      description: "The link is good once, for a week, and until another invitation is sent.",
      security: [],
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        204: { description: "The password is the one to log in with." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `link_invalid`, `password_is_address`",
          503: "`database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { userId } = await acceptInvitation(ctx, c.req.valid("json"));
      c.get("logFields").userId = userId;
      return c.body(null, 204);
    },
  );
}
