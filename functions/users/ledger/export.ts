import { createRoute, z } from "@hono/zod-openapi";
import type { Sql } from "postgres";
import type { UsersContext } from "../../../domain/users/context.ts";
import { type LedgerRow, readLedger } from "../../../domain/users/ledger/read-ledger.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { actingOf, bearerSecurity, requireRole } from "../../../lib/http/auth.ts";
import { type CsvCell, csvContent, csvHeaders } from "../../../lib/http/csv.ts";
import type { Exports } from "../../../lib/http/exports.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { momentFilter } from "../../../lib/http/schemas.ts";

const COLUMNS = [
  "id",
  "createdAt",
  "userId",
  "type",
  "amountMinor",
  "currency",
  "balanceAfterMinor",
  "description",
  "reference",
  "idempotencyKey",
  "reverses",
] as const satisfies (keyof LedgerRow)[];

export interface LedgerExportDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
  exports: Exports;
  /** of a pool that exports have for themselves, with a connection for each */
  exportClient: Sql;
  /** IANA's name of the zone whose days reports have */
  reportTimeZone: string;
}

/** The whole ledger as a file; for admins. */
export function registerLedgerExportRoute(app: HttpApp, deps: LedgerExportDeps): void {
  const { ctx, verifyToken, exports, exportClient, reportTimeZone } = deps;
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/ledger",
      operationId: "exportLedger",
      tags: ["Ledger (admin)"],
      summary: "All transactions of some time as CSV",
      description: `In the order of the ledger, as of the moment of the request, with the columns ${COLUMNS.join(", ")}. It is streamed: an answer that is not whole breaks off, so take only a file whose transfer ended well. Who reads slower than about 10 KB/s, or for longer than 30 minutes, is broken off.`,
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "admin"),
      request: {
        query: z.strictObject({
          from: momentFilter("from", "Not before this."),
          to: momentFilter("to", "Before this."),
        }),
      },
      responses: {
        200: { description: "The transactions.", content: csvContent },
        ...problemResponses({
          400: "`validation_failed`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          429: "`too_many_exports`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const period = c.req.valid("query");
      const body = await exports.stream(() => ({
        header: COLUMNS,
        batches: toCells(readLedger(exportClient, { ...period, timeZone: reportTimeZone })),
        logFields: { requestId: c.get("requestId") },
      }));
      try {
        await recordAudit(ctx.db, {
          ...actingOf(c),
          action: "exportLedger",
          object: { type: "ledger" },
          after: period,
          lasting: ["from", "to"],
        });
      } catch (error) {
        await body.cancel(error);
        throw error;
      }
      return c.body(body, 200, csvHeaders("ledger.csv"));
    },
  );
}

async function* toCells(batches: AsyncGenerator<LedgerRow[]>): AsyncGenerator<CsvCell[][]> {
  for await (const rows of batches) yield rows.map((row) => COLUMNS.map((column) => row[column]));
}
