import { createRoute, z } from "@hono/zod-openapi";
import type { NotificationsContext } from "../../domain/notifications/context.ts";
import { listNotifications } from "../../domain/notifications/list-notifications.ts";
import type { Notification } from "../../domain/notifications/notification.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import {
  accountChanged,
  type notificationEvent,
  promotionAssigned,
  promotionExpired,
  promotionExpiring,
  promotionRevoked,
} from "../../lib/events.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { EXAMPLE_CURRENCY, exampleDay } from "../../lib/http/examples.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import { idSchema, jsonResponse, pageOf, pageQuery, timeSchema } from "../../lib/http/schemas.ts";

type EventSchema = (typeof notificationEvent.options)[number];

/** A notification of one type: its content is what the event of that type says. */
const notificationOf = <Schema extends EventSchema>({ shape: { type, data } }: Schema) =>
  z.object({
    id: idSchema,
    type: type as Schema["shape"]["type"],
    content: data as Schema["shape"]["data"],
    createdAt: timeSchema,
    readAt: timeSchema.nullable(),
  });

const notificationSchema = z
  .discriminatedUnion("type", [
    notificationOf(promotionAssigned),
    notificationOf(promotionExpiring),
    notificationOf(promotionExpired),
    notificationOf(promotionRevoked),
    notificationOf(accountChanged),
  ])
  .openapi("Notification", {
    example: {
      id: "0199b1b2-8c21-7e55-a0d3-9b8c7d6e5f40",
      type: "PROMOTION",
      content: {
        promotionId: "0199b1a0-5f00-7b1d-9e2f-1a2b3c4d5e6f",
        title: "Welcome to the house",
        description: "20 EUR for your first evening.",
        type: "WELCOME_BONUS",
        amountMinor: 2000,
        currency: EXAMPLE_CURRENCY,
        startsAt: `${exampleDay(-4)}T00:00:00.000Z`,
        endsAt: `${exampleDay(26)}T00:00:00.000Z`,
      },
      createdAt: `${exampleDay(0)}T20:00:00.031Z`,
      readAt: null,
    },
  });

const querySchema = z.strictObject({
  ...pageQuery,
  unread: z
    .enum(["true", "false"])
    .default("false")
    .transform((value) => value === "true")
    .openapi({ type: "boolean", default: false, description: "Only those that are not read yet." }),
});

export interface ListDeps {
  ctx: NotificationsContext;
  verifyToken: TokenVerifier;
}

/** A player's own notifications. */
export function registerListRoute(app: HttpApp, { ctx, verifyToken }: ListDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/notifications",
      operationId: "listNotifications",
      tags: ["Notifications"],
      summary: "List your notifications, newest first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: querySchema },
      responses: {
        200: jsonResponse(
          "A page.",
          pageOf(notificationSchema).extend({
            unreadCount: z.int().min(0).openapi({ description: "Of all your notifications.", example: 1 }),
          }),
        ),
        ...problemResponses({
          400: "`validation_failed`, `invalid_cursor`",
          ...TOKEN_PROBLEMS,
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const input = { playerId: principalOf(c).id, ...c.req.valid("query") };
      const { data, nextCursor, unreadCount } = await listNotifications(ctx, input);
      return c.json({ data: data.map(toBody), nextCursor, unreadCount }, 200);
    },
  );
}

function toBody({ _id, type, content, createdAt, readAt }: Notification) {
  // Type and content belong together, since they were one event's.
  return {
    id: _id,
    type,
    content,
    createdAt: createdAt.toISOString(),
    readAt: readAt?.toISOString() ?? null,
  } as z.infer<typeof notificationSchema>;
}
