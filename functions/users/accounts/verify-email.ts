import { createRoute, z } from "@hono/zod-openapi";
import { verifyEmail } from "../../../domain/users/accounts/verify-email.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";
import { EXAMPLE_LINK_TOKEN, linkTokenSchema } from "../schemas.ts";

const requestSchema = z
  .strictObject({ token: linkTokenSchema })
  .openapi("VerifyEmail", { example: { token: EXAMPLE_LINK_TOKEN } });

export interface VerifyEmailDeps {
  ctx: UsersContext;
}

/** Who got the link shows that the address is theirs. */
export function registerVerifyEmailRoute(app: HttpApp, { ctx }: VerifyEmailDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/email/verify",
      operationId: "verifyEmail",
      tags: ["Auth"],
      summary: "Verify an e-mail address with the link of a mail",
      description:
        "If the link is for a new address, the account has it from now on, its old one is told, and all other links are void.",
      security: [],
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        204: { description: "The address is verified, and is the account's." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `link_invalid`",
          409: "`email_taken`: somebody else has the address",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { userId } = await verifyEmail(ctx, c.req.valid("json"));
      c.get("logFields").userId = userId;
      return c.body(null, 204);
    },
  );
}
