import { createRoute, z } from "@hono/zod-openapi";
import type { PromotionsContext } from "../../domain/promotions/context.ts";
import { approvePromotion, rejectPromotion } from "../../domain/promotions/promotions/approve-promotion.ts";
import { createPromotion } from "../../domain/promotions/promotions/create-promotion.ts";
import { findPromotions, getPromotion } from "../../domain/promotions/promotions/find-promotions.ts";
import { updatePromotion } from "../../domain/promotions/promotions/update-promotion.ts";
import { readStatisticsOf } from "../../domain/promotions/statistics/read-statistics.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { actingOf, bearerSecurity, principalOf, requireRole } from "../../lib/http/auth.ts";
import { csvContent, csvHeaders, toCsv, wantsCsv } from "../../lib/http/csv.ts";
import { answerOnce, IDEMPOTENCY_PROBLEMS, idempotencyHeaders } from "../../lib/http/idempotency.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import {
  idParams,
  jsonBody,
  jsonResponse,
  noQuery,
  pageOf,
  pageQuery,
  textSchema,
  timeInputSchema,
} from "../../lib/http/schemas.ts";
import {
  approvePromotionSchema,
  createPromotionSchema,
  promotionStatusSchema,
  promotionTypeSchema,
  rejectPromotionSchema,
  STAFF_PROMOTION_EXAMPLE,
  staffPromotionSchema,
  toStaffPromotionBody,
  updatePromotionSchema,
} from "./schemas.ts";
import {
  FIGURES_EXAMPLE,
  STATISTICS_COLUMNS,
  statisticsSchema,
  toStatisticsBody,
  toStatisticsCells,
} from "./statistics.ts";

const tags = ["Promotions (staff)"];

const listedSchema = z
  .object({ ...staffPromotionSchema.shape, statistics: statisticsSchema })
  .openapi("ListedPromotion", { example: { ...STAFF_PROMOTION_EXAMPLE, statistics: FIGURES_EXAMPLE } });

/** The columns of a listed promotion in CSV, before its figures. */
const LIST_COLUMNS = [
  "id",
  "title",
  "type",
  "status",
  "startsAt",
  "endsAt",
  "amountMinor",
  "currency",
  "maxClaims",
  "budgetMinor",
] as const satisfies (keyof z.infer<typeof staffPromotionSchema>)[];

export interface PromotionDeps {
  ctx: PromotionsContext;
  verifyToken: TokenVerifier;
  idempotencySecret: string;
}

/** Create, list, read and change promotions; for staff. */
export function registerPromotionRoutes(app: HttpApp, { ctx, verifyToken, idempotencySecret }: PromotionDeps): void {
  const middleware = requireRole(verifyToken, "staff");
  const common = { tags, security: bearerSecurity, middleware };

  app.openapi(
    createRoute({
      ...common,
      method: "post",
      path: "/api/v1/promotions",
      operationId: "createPromotion",
      summary: "Create a promotion",
      request: { query: noQuery, headers: idempotencyHeaders, body: jsonBody(createPromotionSchema) },
      responses: {
        201: jsonResponse("Created.", staffPromotionSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `window_invalid`, `currency_not_supported`, `budget_too_small`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          409: "`code_taken`; `welcome_bonus_overlap`: another welcome bonus that has not ended holds a part of the window; `idempotency_key_in_use`",
          ...IDEMPOTENCY_PROBLEMS,
          503: "`database_unavailable`, `keys_unavailable`, `revocations_unavailable`",
        }),
      },
    }),
    async (c) => {
      const input = { ...c.req.valid("json"), createdBy: principalOf(c).id, requestId: c.get("requestId") };
      const body = await answerOnce(c, { db: ctx.db, secret: idempotencySecret }, async (db) =>
        toStaffPromotionBody(await createPromotion({ ...ctx, db }, input)),
      );
      c.get("logFields").promotionId = body.id;
      return c.json(body, 201);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: "get",
      path: "/api/v1/promotions",
      operationId: "listPromotions",
      summary: "List promotions, newest first",
      description:
        "With the figures of each. As JSON, or as CSV (`Accept: text/csv`), where the address of the next page is in the header `Link` (RFC 8288).",
      request: {
        query: z.strictObject({
          type: promotionTypeSchema.optional(),
          status: promotionStatusSchema.optional(),
          activeAt: timeInputSchema.optional().openapi({
            param: { name: "activeAt", in: "query" },
            type: "string",
            format: "date-time",
            description: "Only those that are active and whose window holds this time.",
          }),
          q: textSchema(100).optional().openapi({ description: "A part of the title, the description or the code." }),
          ...pageQuery,
        }),
      },
      responses: {
        200: {
          description: "A page.",
          content: { "application/json": { schema: pageOf(listedSchema) }, ...csvContent },
        },
        ...problemResponses({
          400: "`validation_failed`, `invalid_cursor`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { data, nextCursor } = await findPromotions(ctx, c.req.valid("query"));
      const figures = await readStatisticsOf(
        ctx,
        data.map(({ id }) => id),
      );
      const listed = data.flatMap((promotion) => {
        const statistics = figures.get(promotion.id);
        return statistics === undefined
          ? []
          : [{ ...toStaffPromotionBody(promotion), statistics: toStatisticsBody(statistics) }];
      });
      c.header("vary", "Accept");
      if (!wantsCsv(c)) return c.json({ data: listed, nextCursor }, 200);
      if (nextCursor !== null) c.header("link", nextPageLink(c.req.url, nextCursor));
      const csv = toCsv(
        [...LIST_COLUMNS, ...STATISTICS_COLUMNS],
        listed.map((item) => [...LIST_COLUMNS.map((column) => item[column]), ...toStatisticsCells(item.statistics)]),
      );
      return c.body(csv, 200, csvHeaders("promotions.csv"));
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: "get",
      path: "/api/v1/promotions/{id}",
      operationId: "getPromotion",
      summary: "Read a promotion",
      request: { query: noQuery, params: idParams },
      responses: {
        200: jsonResponse("The promotion.", staffPromotionSchema),
        ...problemResponses({
          400: "`validation_failed`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          404: "`promotion_not_found`",
          503: "`database_unavailable`, `keys_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      c.get("logFields").promotionId = id;
      return c.json(toStaffPromotionBody(await getPromotion(ctx, id)), 200);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: "patch",
      path: "/api/v1/promotions/{id}",
      operationId: "updatePromotion",
      summary: "Change a promotion or its status",
      description:
        "Steps of the status: draft → active ⇄ paused → ended; a draft or an active one can be ended too. It becomes active only before its end. Amount, start, terms, code and `claimWithinHours` are fixed once it was active. Moving the end moves what is assigned with it, and ending expires what is not claimed. The caps (`maxClaims`, `budgetMinor`) can be raised, and lowered to what is used: claims that are paid or under way. Where the casino has a threshold, what may cost more waits for an admin's approval: `active` becomes `pending_approval`, and caps that are raised become `pendingChange`.",
      request: { query: noQuery, params: idParams, body: jsonBody(updatePromotionSchema) },
      responses: {
        200: jsonResponse("The promotion as it is now.", staffPromotionSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          400: "`malformed_json`, `validation_failed`, `window_invalid`, `budget_too_small`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          404: "`promotion_not_found`",
          409: "`promotion_status_forbidden`, `promotion_locked`, `promotion_ended`, `cap_below_used`, `code_taken`, `welcome_bonus_overlap`",
          503: "`database_unavailable`, `keys_unavailable`, `revocations_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      c.get("logFields").promotionId = id;
      const promotion = await updatePromotion(ctx, {
        id,
        changedBy: principalOf(c).id,
        requestId: c.get("requestId"),
        changes: c.req.valid("json"),
      });
      return c.json(toStaffPromotionBody(promotion), 200);
    },
  );

  const approvals = { ...common, tags: ["Promotions (admin)"], middleware: requireRole(verifyToken, "admin") };
  const approvalProblems = {
    ...BODY_PROBLEMS,
    ...TOKEN_PROBLEMS,
    404: "`promotion_not_found`",
    ...IDEMPOTENCY_PROBLEMS,
    503: "`database_unavailable`, `keys_unavailable`, `revocations_unavailable`",
  };

  app.openapi(
    createRoute({
      ...approvals,
      method: "post",
      path: "/api/v1/promotions/{id}/approve",
      operationId: "approvePromotion",
      summary: "Approve what waits for it",
      description:
        "A promotion that is `pending_approval` becomes active, and `pendingChange` of an active one holds. For an admin who has neither changed nor submitted it since the last approval.",
      request: {
        query: noQuery,
        params: idParams,
        headers: idempotencyHeaders,
        body: jsonBody(approvePromotionSchema),
      },
      responses: {
        200: jsonResponse("Approved.", staffPromotionSchema),
        ...problemResponses({
          ...approvalProblems,
          403: "`session_restricted`, `role_not_allowed`, `own_approval`",
          409: "`version_outdated`, `promotion_status_forbidden`: nothing waits, or its window is over; `welcome_bonus_overlap`, `cap_below_used`, `idempotency_key_in_use`",
        }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      c.get("logFields").promotionId = id;
      const input = { id, version: c.req.valid("json").version, ...actingOf(c) };
      const body = await answerOnce(c, { db: ctx.db, secret: idempotencySecret }, async (db) =>
        toStaffPromotionBody(await approvePromotion({ ...ctx, db }, input)),
      );
      return c.json(body, 200);
    },
  );

  app.openapi(
    createRoute({
      ...approvals,
      method: "post",
      path: "/api/v1/promotions/{id}/reject",
      operationId: "rejectPromotion",
      summary: "Reject what waits for an approval",
      description:
        "A promotion that is `pending_approval` is a draft again; `pendingChange` of an active one is dropped.",
      request: {
        query: noQuery,
        params: idParams,
        headers: idempotencyHeaders,
        body: jsonBody(rejectPromotionSchema),
      },
      responses: {
        200: jsonResponse("Rejected.", staffPromotionSchema),
        ...problemResponses({
          ...approvalProblems,
          403: "`session_restricted`, `role_not_allowed`",
          409: "`promotion_status_forbidden`: nothing waits; `idempotency_key_in_use`",
        }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      c.get("logFields").promotionId = id;
      const input = { id, reason: c.req.valid("json").reason, ...actingOf(c) };
      const body = await answerOnce(c, { db: ctx.db, secret: idempotencySecret }, async (db) =>
        toStaffPromotionBody(await rejectPromotion({ ...ctx, db }, input)),
      );
      return c.json(body, 200);
    },
  );
}

/** @returns RFC 8288; relative to the address that was asked for, since only the proxy knows its prefix */
function nextPageLink(url: string, cursor: string): string {
  const query = new URL(url).searchParams;
  query.set("cursor", cursor);
  return `<?${query}>; rel="next"`;
}
