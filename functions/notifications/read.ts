import { createRoute } from "@hono/zod-openapi";
import type { NotificationsContext } from "../../domain/notifications/context.ts";
import { markAllRead } from "../../domain/notifications/mark-all-read.ts";
import { markRead } from "../../domain/notifications/mark-read.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { problemResponses, TOKEN_PROBLEMS, UNREAD_BODY_PROBLEMS } from "../../lib/http/problem.ts";
import { idParams, noQuery } from "../../lib/http/schemas.ts";

export interface ReadDeps {
  ctx: NotificationsContext;
  verifyToken: TokenVerifier;
}

/** Marking one's own notifications as read. */
export function registerReadRoutes(app: HttpApp, { ctx, verifyToken }: ReadDeps): void {
  const common = {
    method: "post" as const,
    tags: ["Notifications"],
    security: bearerSecurity,
    middleware: requireRole(verifyToken, "any"),
  };
  // A body is not read, but one that is too large or not JSON is refused as everywhere.
  const problems = {
    ...TOKEN_PROBLEMS,
    ...UNREAD_BODY_PROBLEMS,
    503: "`database_unavailable`, `keys_unavailable`",
  };

  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/notifications/{id}/read",
      operationId: "markNotificationRead",
      summary: "Mark a notification as read; once more changes nothing",
      request: { query: noQuery, params: idParams },
      responses: {
        204: { description: "It is read." },
        ...problemResponses({ ...problems, 400: "`validation_failed`", 404: "`notification_not_found`" }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      c.get("logFields").notificationId = id;
      await markRead(ctx, { playerId: principalOf(c).id, id });
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      path: "/api/v1/notifications/read-all",
      operationId: "markAllNotificationsRead",
      summary: "Mark all your notifications as read",
      request: { query: noQuery },
      responses: {
        204: { description: "All are read." },
        ...problemResponses({ ...problems, 400: "`validation_failed`" }),
      },
    }),
    async (c) => {
      await markAllRead(ctx, { playerId: principalOf(c).id });
      return c.body(null, 204);
    },
  );
}
