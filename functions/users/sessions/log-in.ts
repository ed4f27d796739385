import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { presentedEmailSchema, presentedPasswordSchema } from "../../../domain/users/passwords/credentials.ts";
import { logIn } from "../../../domain/users/sessions/log-in.ts";
import { limitByAddress } from "../../../lib/http/address-limit.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import type { AddressLimits } from "../address-limits.ts";
import { type IssueDeps, issuedSessionSchema, issueTokens } from "./issued-session.ts";
import { refreshCookie } from "./presented-token.ts";
import { challengeSchema } from "./second-factor.ts";

const requestSchema = z
  .strictObject({
    email: presentedEmailSchema,
    password: presentedPasswordSchema,
    tokenDelivery: z.literal("body").optional().openapi({
      description: "For clients that are no browsers: the refresh token comes in the body, and no cookie is set.",
    }),
  })
  .openapi("LogIn", { example: { email: "ada@example.com", password: "correct horse battery" } });

export interface LogInDeps extends IssueDeps {
  ctx: UsersContext;
  addressLimits: AddressLimits;
}

/** Opens a session. */
export function registerLogInRoute(app: HttpApp, deps: LogInDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/login",
      operationId: "logIn",
      tags: ["Auth"],
      summary: "Log in",
      description:
        "Opens a session, and ends that of the cookie that comes with it, whose place it takes. A user has at most 20; beyond " +
        "that the one ends that was not used for longest. Who has a second factor gets a challenge instead of tokens, and no cookie.",
      security: [],
      middleware: limitByAddress(deps.addressLimits.logins),
      request: { query: noQuery, cookies: refreshCookie, body: jsonBody(requestSchema) },
      responses: {
        200: jsonResponse(
          "The session's tokens, the refresh token in the cookie `refreshToken`; or a challenge for `auth/second-factor`.",
          z.union([issuedSessionSchema, challengeSchema]),
        ),
        ...problemResponses({
          ...BODY_PROBLEMS,
          401: "`invalid_credentials`, for an unknown e-mail address too",
          403: "`account_suspended`, `account_self_excluded`; `email_not_verified`, and a mail with a link is sent, every 15 minutes at most",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { tokenDelivery, ...credentials } = c.req.valid("json");
      const delivery = tokenDelivery ?? "cookie";
      const outcome = await logIn(deps.ctx, {
        ...credentials,
        tokenDelivery: delivery,
        client: clientOf(c),
        traceparent: c.get("traceparent"),
        replacedToken: delivery === "cookie" ? deps.cookies.find(c) : undefined,
      });
      if ("challenge" in outcome) {
        c.get("logFields").userId = outcome.user.id;
        return c.json({ secondFactor: "totp" as const, challenge: outcome.challenge }, 200);
      }
      return c.json(await issueTokens(c, deps, outcome, delivery), 200);
    },
  );
}
