import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { askPasswordReset } from "../../../domain/users/passwords/ask-password-reset.ts";
import { presentedEmailSchema } from "../../../domain/users/passwords/credentials.ts";
import { limitByAddress } from "../../../lib/http/address-limit.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, noQuery } from "../../../lib/http/schemas.ts";
import type { AddressLimits } from "../address-limits.ts";

const requestSchema = z
  .strictObject({ email: presentedEmailSchema })
  .openapi("ForgotPassword", { example: { email: "ada@example.com" } });

export interface ForgotPasswordDeps {
  ctx: UsersContext;
  addressLimits: AddressLimits;
}

/** Who has forgotten their password asks for a link to choose another one. */
export function registerForgotPasswordRoute(app: HttpApp, { ctx, addressLimits }: ForgotPasswordDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/password/forgot",
      operationId: "forgotPassword",
      tags: ["Auth"],
      summary: "Ask for a link to choose a new password",
      description:
        "The answer is the same whether there is an account with this address or not. The link is good for an hour.",
      security: [],
      middleware: limitByAddress(addressLimits.mails),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        202: { description: "If the address is an account's, a mail is on its way to it." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          429: "`too_many_attempts`, whether there is an account or not",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      await askPasswordReset(ctx, c.req.valid("json"));
      return c.body(null, 202);
    },
  );
}
