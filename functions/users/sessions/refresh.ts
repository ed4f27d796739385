import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { refreshSession } from "../../../domain/users/sessions/refresh-session.ts";
import { AppError } from "../../../lib/errors.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { IDEMPOTENCY_HEADER, idempotencyKeySchema } from "../../../lib/http/idempotency.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonResponse } from "../../../lib/http/schemas.ts";
import { type IssueDeps, issuedSessionSchema, issueTokens } from "./issued-session.ts";
import { presentedTokenRequest } from "./presented-token.ts";

export interface RefreshDeps extends IssueDeps {
  ctx: UsersContext;
}

const askAgainHeaders = z.object({
  [IDEMPOTENCY_HEADER]: idempotencyKeySchema.openapi({
    description:
      "A random text, new for each token, and sent again with it by who got no answer: nobody else has it, so they are known by it. " +
      "Without it they have to ask again from the same network address and with the same `User-Agent`.",
  }),
});

/** Exchanges a refresh token for its successor. */
export function registerRefreshRoute(app: HttpApp, deps: RefreshDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/refresh",
      operationId: "refreshSession",
      tags: ["Auth"],
      summary: "Refresh the tokens",
      description:
        "The refresh token comes in the cookie, or in the body from clients that got it there, and its successor goes " +
        "back the same way; a cookie beside a token in the body is left alone. A token that was replaced more than 5 seconds " +
        "ago ends the session; but who got no answer may ask again for 30 seconds, and gets the same one.",
      security: [],
      request: { ...presentedTokenRequest, headers: askAgainHeaders },
      responses: {
        200: jsonResponse("The session's new tokens.", issuedSessionSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          401: "`refresh_token_missing`, `refresh_token_invalid`, `refresh_token_reused`",
          403: "`account_suspended`, `account_self_excluded`, `email_not_verified`, `cross_site_request`",
          503: "`sessions_unavailable`, `database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const inBody = c.req.valid("json").refreshToken;
      const refreshToken = inBody ?? deps.cookies.read(c);
      if (refreshToken === undefined) {
        throw new AppError(
          "unauthenticated",
          "refresh_token_missing",
          "Send the refresh token in the cookie `refreshToken` or in the body.",
        );
      }
      try {
        const session = await refreshSession(deps.ctx, {
          refreshToken,
          client: clientOf(c),
          idempotencyKey: c.req.valid("header")[IDEMPOTENCY_HEADER],
        });
        return c.json(await issueTokens(c, deps, session, inBody === undefined ? "cookie" : "body"), 200);
      } catch (error) {
        // A cookie that can't be used any more would only be sent again and again.
        const isFinal = error instanceof AppError && error.kind !== "unavailable";
        if (isFinal && inBody === undefined) deps.cookies.clear(c);
        throw error;
      }
    },
  );
}
