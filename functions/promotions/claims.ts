import { createRoute, z } from "@hono/zod-openapi";
import { claimPromotion } from "../../domain/promotions/claims/claim-promotion.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { EXAMPLE_ID } from "../../lib/http/examples.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import {
  amountMinorSchema,
  balanceMinorSchema,
  currencySchema,
  idInputSchema,
  idSchema,
  jsonBody,
  jsonResponse,
  noQuery,
} from "../../lib/http/schemas.ts";

const requestSchema = z
  .strictObject({ promotionId: idInputSchema })
  .openapi("ClaimPromotion", { example: { promotionId: EXAMPLE_ID } });

const responseSchema = z
  .object({
    promotionId: idSchema,
    status: z.literal("claimed"),
    transactionId: idSchema,
    amountMinor: amountMinorSchema,
    currency: currencySchema,
    balanceMinor: balanceMinorSchema.openapi({ description: "The balance right after the credit, in minor units." }),
  })
  .openapi("ClaimResult");

export interface ClaimDeps {
  ctx: ClaimContext;
  verifyToken: TokenVerifier;
}

/** A player claims a promotion that was assigned to them. */
export function registerClaimRoute(app: HttpApp, { ctx, verifyToken }: ClaimDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/promotions/claim",
      operationId: "claimPromotion",
      tags: ["Promotions (player)"],
      summary: "Claim a promotion",
      description: "Pays exactly once, however often it is sent: safe to repeat after a lost answer or a 503.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "player"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        201: jsonResponse("Claimed: the money is in the balance.", responseSchema),
        200: jsonResponse("It was claimed before: the same body again.", responseSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `player_not_active`, `player_not_verified`",
          404: "`promotion_not_assigned`",
          409: "`promotion_not_active`, `promotion_exhausted`, `assignment_expired`, `promotion_revoked`, `balance_limit`, `transaction_voided`",
          503: "`balance_unavailable`: accepted, and finished by us or by the same claim again; `database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { promotionId } = c.req.valid("json");
      c.get("logFields").promotionId = promotionId;
      const { replayed, ...claimed } = await claimPromotion(ctx, {
        playerId: principalOf(c).id,
        promotionId,
        traceparent: c.get("traceparent"),
      });
      Object.assign(c.get("logFields"), { transactionId: claimed.transactionId, replayed });
      return c.json({ ...claimed, status: "claimed" as const }, replayed ? 200 : 201);
    },
  );
}
