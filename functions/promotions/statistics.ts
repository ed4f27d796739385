import { createRoute, z } from "@hono/zod-openapi";
import type { PromotionsContext } from "../../domain/promotions/context.ts";
import { readStatistics, type Statistics } from "../../domain/promotions/statistics/read-statistics.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import type { HttpApp } from "../../lib/http/app.ts";
import { bearerSecurity, requireRole } from "../../lib/http/auth.ts";
import { type CsvCell, csvContent, csvHeaders, toCsv, wantsCsv } from "../../lib/http/csv.ts";
import { exampleDay } from "../../lib/http/examples.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../lib/http/problem.ts";
import { idParams, momentFilter, timeSchema } from "../../lib/http/schemas.ts";

const countSchema = z.int().min(0);
const moneySchema = z.int().min(0);
const shareSchema = z.number().min(0).max(1);

const figures = {
  assigned: countSchema.openapi({ description: "Assignments, in whatever state." }),
  open: countSchema.openapi({ description: "Can be claimed, or a claim is under way." }),
  claimed: countSchema.openapi({ description: "Paid, and not taken back." }),
  expired: countSchema.openapi({ description: "Can't be claimed any more." }),
  revoked: countSchema.openapi({ description: "Withdrawn, those included that had been paid." }),
  claimRate: shareSchema.openapi({ description: "`claimed` as a share of `assigned`; 0 where there are none." }),
  paidMinor: moneySchema.openapi({ description: "Minor units that were paid, net of `reversedMinor`." }),
  openMinor: moneySchema.openapi({
    description: "Minor units that the open ones may cost; no more than the cap leaves.",
  }),
  capUsed: shareSchema
    .nullable()
    .openapi({ description: "The share of the cap that is paid or being paid; null without a cap." }),
  reversedMinor: moneySchema.openapi({ description: "Minor units that were paid and taken back." }),
  asOf: timeSchema.openapi({ description: "The moment of which these figures are." }),
};

export const FIGURES_EXAMPLE = {
  assigned: 1000,
  open: 350,
  claimed: 600,
  expired: 40,
  revoked: 10,
  claimRate: 0.6,
  paidMinor: 1_200_000,
  openMinor: 700_000,
  capUsed: 0.6,
  reversedMinor: 4000,
  asOf: `${exampleDay(0)}T20:00:00.000Z`,
};

/** The figures of a promotion, all but those by days. */
export const statisticsSchema = z.object(figures).openapi("PromotionStatistics", { example: FIGURES_EXAMPLE });

const dayStatisticsSchema = z.object({
  day: z.iso.date(),
  assigned: countSchema,
  claimed: countSchema,
  paidMinor: moneySchema,
});

const responseSchema = z
  .object({
    ...figures,
    perDay: z.array(dayStatisticsSchema).openapi({
      description:
        "The days on which something happened, in the time zone of reports: what was assigned, and what of `claimed` was claimed. What was claimed and taken back is in none.",
    }),
  })
  .openapi("PromotionStatisticsByDay", {
    example: {
      ...FIGURES_EXAMPLE,
      perDay: [{ day: exampleDay(0), assigned: 1000, claimed: 600, paidMinor: 1_200_000 }],
    },
  });

export const toStatisticsBody = ({ asOf, ...figures }: Statistics): z.infer<typeof statisticsSchema> => ({
  ...figures,
  asOf: asOf.toISOString(),
});

/** The columns of the figures in CSV, in their order. */
export const STATISTICS_COLUMNS = [
  "assigned",
  "open",
  "claimed",
  "expired",
  "revoked",
  "claimRate",
  "paidMinor",
  "openMinor",
  "capUsed",
  "reversedMinor",
  "asOf",
] as const satisfies (keyof Statistics)[];

/** @param figures those that there are; the cells of the others are empty */
export const toStatisticsCells = (figures: Partial<z.infer<typeof statisticsSchema>>): CsvCell[] =>
  STATISTICS_COLUMNS.map((column) => figures[column] ?? null);

export interface StatisticsDeps {
  ctx: PromotionsContext;
  verifyToken: TokenVerifier;
  /** IANA's name of the zone whose days reports have */
  reportTimeZone: string;
}

/** The figures of a promotion; for staff. */
export function registerStatisticsRoute(app: HttpApp, { ctx, verifyToken, reportTimeZone }: StatisticsDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/promotions/{id}/statistics",
      operationId: "getPromotionStatistics",
      tags: ["Promotions (staff)"],
      summary: "The figures of a promotion, in all and by days",
      description:
        "As JSON, or as CSV (`Accept: text/csv`): a line for each day, and a last one, `total`, with all figures. Every assignment is open, claimed, expired or revoked. `from` and `to` choose days; the figures in all are those of the whole promotion.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: {
        params: idParams,
        query: z.strictObject({
          from: momentFilter("from", "Only days that end after this."),
          to: momentFilter("to", "Only days that begin before this."),
        }),
      },
      responses: {
        200: {
          description: "The figures as of `asOf`.",
          content: { "application/json": { schema: responseSchema }, ...csvContent },
        },
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
      const { id: promotionId } = c.req.valid("param");
      c.get("logFields").promotionId = promotionId;
      const input = { promotionId, timeZone: reportTimeZone, ...c.req.valid("query") };
      const { currency, perDay, ...all } = await readStatistics(ctx, input);
      const body = toStatisticsBody(all);
      c.header("vary", "Accept");
      if (!wantsCsv(c)) return c.json({ ...body, perDay }, 200);
      const lines = [
        ...perDay.map(({ day, ...ofDay }) => [day, currency, ...toStatisticsCells({ ...ofDay, asOf: body.asOf })]),
        ["total", currency, ...toStatisticsCells(body)],
      ];
      const csv = toCsv(["day", "currency", ...STATISTICS_COLUMNS], lines);
      return c.body(csv, 200, csvHeaders(`statistics-${promotionId}.csv`));
    },
  );
}
