import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { listTransactions } from "../../../domain/users/ledger/list-transactions.ts";
import type { Acting } from "../../../lib/audit/record.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { actingOf, bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { idParams, jsonResponse, pageQuery } from "../../../lib/http/schemas.ts";
import { toTransactionJson, transactionPage } from "../schemas.ts";

const listQuery = z.strictObject(pageQuery);

export interface TransactionDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** The ledger of one user, for that user and for staff. */
export function registerTransactionRoutes(app: HttpApp, { ctx, verifyToken }: TransactionDeps): void {
  const list = async (userId: string, query: z.infer<typeof listQuery>, readBy?: Acting) => {
    const { data, nextCursor } = await listTransactions(ctx, { userId, ...query, readBy });
    return { data: data.map(toTransactionJson), nextCursor };
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/transactions",
      operationId: "listOwnTransactions",
      tags: ["Account"],
      summary: "Your own transactions, newest first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: listQuery },
      responses: {
        200: jsonResponse("A page of transactions.", transactionPage),
        ...problemResponses({
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`, `invalid_cursor`",
          404: "`user_not_found`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => c.json(await list(principalOf(c).id, c.req.valid("query")), 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/users/{id}/transactions",
      operationId: "listTransactions",
      tags: ["Users (staff)"],
      summary: "A user's transactions, newest first",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "staff"),
      request: { query: listQuery, params: idParams },
      responses: {
        200: jsonResponse("A page of transactions.", transactionPage),
        ...problemResponses({
          ...TOKEN_PROBLEMS,
          400: "`validation_failed`, `invalid_cursor`",
          403: "`session_restricted`, `role_not_allowed`",
          404: "`user_not_found`",
          503: "`database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId } = c.req.valid("param");
      c.get("logFields").userId = userId;
      return c.json(await list(userId, c.req.valid("query"), actingOf(c)), 200);
    },
  );
}
