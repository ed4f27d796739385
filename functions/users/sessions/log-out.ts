import { createRoute } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { logOut } from "../../../domain/users/sessions/log-out.ts";
import { logOutEverywhere } from "../../../domain/users/sessions/log-out-everywhere.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp, HttpContext } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { noQuery } from "../../../lib/http/schemas.ts";
import { presentedTokenRequest } from "./presented-token.ts";
import type { RefreshCookies } from "./session-cookie.ts";

export interface LogOutDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
  cookies: RefreshCookies;
}

/** Ends one session, or all of a user. */
export function registerLogOutRoutes(app: HttpApp, { ctx, verifyToken, cookies }: LogOutDeps): void {
  /** On a machine that others use too, nothing of this person stays behind. */
  const forgetAll = (c: HttpContext) => {
    cookies.clear(c);
    c.header("clear-site-data", '"cookies", "storage"');
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/logout",
      operationId: "logOut",
      tags: ["Auth"],
      summary: "Log out of this session",
      description:
        "Ends the session of the token in the body and that of the cookie, whichever is sent. Safe to repeat. A session's " +
        "access token is refused everywhere within two seconds.",
      security: [],
      request: presentedTokenRequest,
      responses: {
        204: { description: "The session of each token that was sent has ended, now or before." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          403: "`cross_site_request`",
          401: "`refresh_token_invalid`: the body's token is not one of ours, so nothing has ended",
          503: "`sessions_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { refreshToken } = c.req.valid("json");
      await logOut(ctx, { refreshToken, cookie: cookies.read(c) });
      forgetAll(c);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/logout-all",
      operationId: "logOutEverywhere",
      tags: ["Auth"],
      summary: "Log out of all sessions",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any", { evenRestricted: ["second_factor"] }),
      request: { query: noQuery },
      responses: {
        204: { description: "All sessions of this user have ended." },
        ...problemResponses({ ...BODY_PROBLEMS, ...TOKEN_PROBLEMS, 503: "`sessions_unavailable`" }),
      },
    }),
    async (c) => {
      await logOutEverywhere(ctx, { userId: principalOf(c).id });
      forgetAll(c);
      return c.body(null, 204);
    },
  );
}
