import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { endSession } from "../../../domain/users/sessions/end-session.ts";
import { findSessions } from "../../../domain/users/sessions/store.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { exampleDay } from "../../../lib/http/examples.ts";
import { problemResponses, TOKEN_PROBLEMS, UNREAD_BODY_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, idSchema, jsonResponse, noQuery, timeSchema } from "../../../lib/http/schemas.ts";

const sessionSchema = z
  .object({
    id: idSchema,
    createdAt: timeSchema.nullable().openapi({ description: "null for a session from before this was kept." }),
    lastUsedAt: timeSchema.openapi({ description: "When its refresh token was last used, or it was opened." }),
    userAgent: z.string().openapi({ description: "As the client said at login; empty if it said nothing." }),
    address: z.string().openapi({ description: "The network address of the login." }),
    current: z.boolean().openapi({ description: "Whether it is the session that asks." }),
  })
  .openapi("Session", {
    example: {
      id: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11",
      createdAt: `${exampleDay(0)}T20:00:00.000Z`,
      lastUsedAt: `${exampleDay(0)}T20:10:00.000Z`,
      userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
      address: "203.0.113.7",
      current: true,
    },
  });

export interface SessionDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** A user looks through their sessions, and ends single ones. */
export function registerSessionRoutes(app: HttpApp, { ctx, verifyToken }: SessionDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/auth/sessions",
      operationId: "listOwnSessions",
      tags: ["Account"],
      summary: "Your own sessions, the last used first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery },
      responses: {
        200: jsonResponse("All of them; at most 20.", z.object({ data: z.array(sessionSchema) })),
        ...problemResponses({ ...TOKEN_PROBLEMS, 400: "`validation_failed`", 503: "`sessions_unavailable`" }),
      },
    }),
    async (c) => {
      const { id: userId, sessionId } = principalOf(c);
      const sessions = await findSessions(ctx, userId);
      const data = sessions.map(({ id, createdAt, lastUsedAt, userAgent, address }) => ({
        id,
        createdAt: createdAt?.toISOString() ?? null,
        lastUsedAt: lastUsedAt.toISOString(),
        userAgent,
        address,
        current: id === sessionId,
      }));
      return c.json({ data }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/v1/auth/sessions/{id}",
      operationId: "endOwnSession",
      tags: ["Account"],
      summary: "End one of your sessions",
      description: "Its tokens are refused everywhere within two seconds, and its sockets closed.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery, params: idParams },
      responses: {
        204: { description: "It has ended." },
        ...problemResponses({
          ...UNREAD_BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`",
          404: "`session_not_found`",
          503: "`sessions_unavailable`",
        }),
      },
    }),
    async (c) => {
      await endSession(ctx, { userId: principalOf(c).id, sessionId: c.req.valid("param").id });
      return c.body(null, 204);
    },
  );
}
