import { createRoute, z } from "@hono/zod-openapi";
import { optIn } from "../../domain/promotions/assignments/opt-in.ts";
import type { OptInContext } from "../../domain/promotions/context.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { clientOf } from "../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery, textSchema } from "../../lib/http/schemas.ts";
import { playerPromotionSchema, toPlayerPromotionBody } from "./players.ts";

/** A code has at most 32; whoever writes it with spaces may. */
const ENTERED_LENGTH_MAX = 100;

const requestSchema = z
  .strictObject({
    code: textSchema(ENTERED_LENGTH_MAX).openapi({ description: "Case and spaces don't matter." }),
  })
  .openapi("OptIn", { example: { code: "WELCOME-20" } });

export interface OptInDeps {
  ctx: OptInContext;
  verifyToken: TokenVerifier;
}

/** A player enters the code of a promotion. */
export function registerOptInRoute(app: HttpApp, { ctx, verifyToken }: OptInDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/promotions/opt-in",
      operationId: "optIn",
      tags: ["Promotions (player)"],
      summary: "Have the promotion that a code is for",
      description:
        "The promotion is assigned once, however often it is sent, to be claimed as any other. A code that nobody gave out and one " +
        "whose promotion is not active get the same answer. After too many of those, no code is looked up for a while.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "player"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        201: jsonResponse("It is yours, as in the list of your promotions.", playerPromotionSchema),
        200: jsonResponse("You had it before; as it is now.", playerPromotionSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `player_not_active`, `player_not_verified`",
          404: "`code_unknown`",
          409: "`promotion_exhausted`, `promotion_revoked`, `assignment_expired`, `too_many_open_promotions`",
          429: "`too_many_attempts`",
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { replayed, ...item } = await optIn(ctx, {
        playerId: principalOf(c).id,
        code: c.req.valid("json").code,
        address: clientOf(c).address,
        traceparent: c.get("traceparent"),
      });
      Object.assign(c.get("logFields"), { promotionId: item.promotion.id, replayed });
      return c.json(toPlayerPromotionBody(item), replayed ? 200 : 201);
    },
  );
}
