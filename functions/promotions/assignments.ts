import { createRoute, z } from "@hono/zod-openapi";
import { assignPromotion } from "../../domain/promotions/assignments/assign-promotion.ts";
import { ASSIGNMENT_STATUSES, findAssignments } from "../../domain/promotions/assignments/find-assignments.ts";
import { revokeAssignment } from "../../domain/promotions/assignments/revoke-assignment.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { actingOf, bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { EXAMPLE_ID, exampleDay } from "../../lib/http/examples.ts";
import { answerOnce, answerOnceAsSaga, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from "../../lib/http/idempotency.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import {
  amountMinorSchema,
  balanceMinorSchema,
  idInputSchema,
  idParam,
  idParams,
  idSchema,
  jsonBody,
  jsonResponse,
  noQuery,
  pageOf,
  pageQuery,
  textSchema,
  timeSchema,
} from "../../lib/http/schemas.ts";

const PLAYERS_MAX = 10_000;

const requestSchema = z
  .strictObject({
    playerIds: z
      .array(idInputSchema)
      .min(1, "must name at least one player")
      .max(PLAYERS_MAX, `must name at most ${PLAYERS_MAX} players; send several requests`),
  })
  .openapi("AssignPromotion", { example: { playerIds: [EXAMPLE_ID] } });

const querySchema = z.strictObject({
  dryRun: z
    .enum(["true", "false"])
    .optional()
    .openapi({ description: "`true`: the same answer, and nothing is written." }),
});

const responseSchema = z
  .object({
    assigned: z.int().openapi({ description: "Players who have it since this request." }),
    alreadyAssigned: z.int().openapi({ description: "Players who had it before." }),
    rejected: z.array(
      z.object({
        playerId: idSchema,
        code: z.enum([
          "player_not_found",
          "player_suspended",
          "player_self_excluded",
          "player_not_verified",
          "too_many_open_promotions",
        ]),
      }),
    ),
  })
  .openapi("AssignPromotionResult", { example: { assigned: 1, alreadyAssigned: 0, rejected: [] } });

const revokeRequestSchema = z
  .strictObject({ reason: textSchema(500).openapi({ description: "Told to the player, and kept." }) })
  .openapi("RevokeAssignment", { example: { reason: "It was assigned by mistake." } });

const revokeResponseSchema = z
  .object({
    status: z.literal("revoked"),
    reversal: z
      .object({
        transactionId: idSchema,
        amountMinor: amountMinorSchema,
        balanceMinor: balanceMinorSchema.openapi({ description: "The balance right after it, in minor units." }),
      })
      .nullable()
      .openapi({ description: "What was taken back; null if nothing had been claimed." }),
  })
  .openapi("RevokeAssignmentResult");

const assignmentSchema = z
  .object({
    id: idSchema,
    playerId: idSchema,
    status: z.enum(ASSIGNMENT_STATUSES),
    assignedBy: idSchema.nullable().openapi({
      description:
        "The member of staff; the player themselves, where they entered its code; null for a welcome bonus, which nobody assigned.",
    }),
    assignedAt: timeSchema,
    expiresAt: timeSchema.openapi({ description: "Until when it can be claimed." }),
    claimedAt: timeSchema.nullable(),
    transactionId: idSchema.nullable(),
    revokedAt: timeSchema.nullable(),
    revokeReason: z.string().nullable(),
  })
  .openapi("Assignment", {
    example: {
      id: "0199b1b2-8c20-7f14-9b6e-2f7a1c3d5e80",
      playerId: EXAMPLE_ID,
      status: "claimed",
      assignedBy: "0199b1b2-6a11-7e0c-b1d4-0c9d8e7f6a5b",
      assignedAt: `${exampleDay(-3)}T20:00:00.000Z`,
      expiresAt: `${exampleDay(0)}T20:00:00.000Z`,
      claimedAt: `${exampleDay(-2)}T08:15:00.000Z`,
      transactionId: "0199b1b5-1d2e-7a3b-8c4d-5e6f7a8b9c0d",
      revokedAt: null,
      revokeReason: null,
    },
  });

const listQuerySchema = z.strictObject({
  status: z.enum(ASSIGNMENT_STATUSES).optional(),
  playerId: idInputSchema.optional().openapi({ description: "Only this player's." }),
  ...pageQuery,
});

export interface AssignmentDeps {
  ctx: ClaimContext;
  verifyToken: TokenVerifier;
  idempotencySecret: string;
}

/** Assign a promotion to players by hand, and see who has it; for staff. */
export function registerAssignmentRoutes(app: HttpApp, { ctx, verifyToken, idempotencySecret }: AssignmentDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/promotions/{id}/assign",
      operationId: "assignPromotion",
      tags: ["Promotions (staff)"],
      summary: "Assign a promotion to up to 10,000 players",
      description:
        "Each player who gets it is notified. The same request again changes nothing. A player who registered a moment ago may not be known here yet: `player_not_found`, try again. The welcome bonus that a player is given at registration is not subject to `too_many_open_promotions`, and counts.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: {
        query: querySchema,
        params: idParams,
        headers: idempotencyHeaders,
        body: jsonBody(requestSchema),
      },
      responses: {
        200: jsonResponse("What became of each.", responseSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          404: "`promotion_not_found`",
          409: "`promotion_not_active`, `idempotency_key_in_use`",
          ...IDEMPOTENCY_PROBLEMS,
          413: "`payload_too_large`: more than 1 MiB",
          503: "`database_unavailable`, `keys_unavailable`, `revocations_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { playerIds } = c.req.valid("json");
      const { id: promotionId } = c.req.valid("param");
      const dryRun = c.req.valid("query").dryRun === "true";
      Object.assign(c.get("logFields"), { promotionId, dryRun });
      const input = {
        promotionId,
        playerIds,
        assignedBy: principalOf(c).id,
        requestId: c.get("requestId"),
        traceparent: c.get("traceparent"),
        dryRun,
      };
      const result = await answerOnce(c, { db: ctx.db, secret: idempotencySecret }, (db) =>
        assignPromotion({ ...ctx, db }, input),
      );
      Object.assign(c.get("logFields"), { assigned: result.assigned, rejected: result.rejected.length });
      return c.json(result, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/promotions/{id}/assignments",
      operationId: "listAssignments",
      tags: ["Promotions (staff)"],
      summary: "List who has a promotion, newest first",
      description: "With `playerId`, it is a look at a player's data, and is in the audit.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { params: idParams, query: listQuerySchema },
      responses: {
        200: jsonResponse("A page.", pageOf(assignmentSchema)),
        ...problemResponses({
          400: "`validation_failed`, `invalid_cursor`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          404: "`promotion_not_found`",
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: promotionId } = c.req.valid("param");
      const query = c.req.valid("query");
      Object.assign(c.get("logFields"), { promotionId, playerId: query.playerId });
      const { data, nextCursor } = await findAssignments(ctx, { promotionId, ...query, readBy: actingOf(c) });
      const body = data.map(({ assignedAt, expiresAt, claimedAt, revokedAt, ...rest }) => ({
        ...rest,
        assignedAt: assignedAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        claimedAt: claimedAt?.toISOString() ?? null,
        revokedAt: revokedAt?.toISOString() ?? null,
      }));
      return c.json({ data: body, nextCursor }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/promotions/{id}/assignments/{playerId}/revoke",
      operationId: "revokeAssignment",
      tags: ["Promotions (staff)"],
      summary: "Withdraw a promotion from a player",
      description:
        "One that is open is gone at once. What was claimed is taken back from the balance, whatever the player's status: all of it, or nothing if the balance has less. The player is told, with the reason. The same request again gets the same answer.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: {
        query: noQuery,
        params: idParams.extend({ playerId: idParam }),
        headers: idempotencyHeaders,
        body: jsonBody(revokeRequestSchema),
      },
      responses: {
        200: jsonResponse("Withdrawn.", revokeResponseSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          404: "`promotion_not_found`, `promotion_not_assigned`",
          409: "`balance_too_low`, `assignment_expired`, `claim_under_way`, `idempotency_key_in_use`: nothing was changed",
          ...IDEMPOTENCY_PROBLEMS,
          503: "`balance_unavailable`: decided, and finished by us or by the same request again; `database_unavailable`, `keys_unavailable`, `revocations_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: promotionId, playerId } = c.req.valid("param");
      Object.assign(c.get("logFields"), { promotionId, playerId });
      const input = {
        promotionId,
        playerId,
        reason: c.req.valid("json").reason,
        revokedBy: principalOf(c).id,
        requestId: c.get("requestId"),
        traceparent: c.get("traceparent"),
      };
      const body = await answerOnceAsSaga(c, { db: ctx.db, secret: idempotencySecret }, async () => {
        const reversal = await revokeAssignment(ctx, input);
        return { status: "revoked" as const, reversal };
      });
      return c.json(body, 200);
    },
  );
}
