import { createRoute, z } from "@hono/zod-openapi";
import type { PromotionsContext } from "../../domain/promotions/context.ts";
import { findPlayerPromotions, type PlayerPromotion } from "../../domain/promotions/players/find-player-promotions.ts";
import { isStaff } from "../../lib/auth/principal.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import { AppError } from "../../lib/errors.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { actingOf, bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import { idParam, idSchema, jsonResponse, pageOf, pageQuery, timeSchema } from "../../lib/http/schemas.ts";
import { promotionSchema, toPromotionBody } from "./schemas.ts";

export const playerPromotionSchema = z
  .object({
    id: idSchema,
    promotion: promotionSchema,
    status: z.enum(["assigned", "claimed", "expired", "revoked"]),
    assignedAt: timeSchema,
    expiresAt: timeSchema.openapi({
      description:
        "Until when it can be claimed: the promotion's end, or `claimWithinHours` after the assignment, whichever is earlier.",
    }),
    claimedAt: timeSchema.nullable(),
    transactionId: idSchema.nullable(),
    exhausted: z.boolean().openapi({ description: "Nothing is left of the promotion's cap." }),
  })
  .openapi("PlayerPromotion");

export interface PlayerPromotionDeps {
  ctx: PromotionsContext;
  verifyToken: TokenVerifier;
}

/** The promotions of a player; for that player and for staff. */
export function registerPlayerPromotionRoutes(app: HttpApp, { ctx, verifyToken }: PlayerPromotionDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/promotions/players/{playerId}",
      operationId: "listPlayerPromotions",
      tags: ["Promotions (player)"],
      summary: "List a player's promotions, newest first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { params: z.strictObject({ playerId: idParam }), query: z.strictObject(pageQuery) },
      responses: {
        200: jsonResponse("A page.", pageOf(playerPromotionSchema)),
        ...problemResponses({
          400: "`validation_failed`, `invalid_cursor`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `not_your_account`",
          404: "`player_not_found`, for staff",
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { playerId } = c.req.valid("param");
      c.get("logFields").playerId = playerId;
      const principal = principalOf(c);
      const readBy = isStaff(principal) ? actingOf(c) : undefined;
      if (readBy === undefined && principal.id !== playerId) {
        throw new AppError("permission_denied", "not_your_account", "You can see only your own promotions.");
      }
      const { data, nextCursor } = await findPlayerPromotions(ctx, { playerId, readBy, ...c.req.valid("query") });
      return c.json({ data: data.map(toPlayerPromotionBody), nextCursor }, 200);
    },
  );
}

export function toPlayerPromotionBody(item: PlayerPromotion): z.infer<typeof playerPromotionSchema> {
  return {
    id: item.id,
    promotion: toPromotionBody(item.promotion),
    status: item.status,
    assignedAt: item.assignedAt.toISOString(),
    expiresAt: item.expiresAt.toISOString(),
    claimedAt: item.claimedAt?.toISOString() ?? null,
    transactionId: item.transactionId,
    exhausted: item.exhausted,
  };
}
