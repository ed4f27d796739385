import { createRoute, z } from "@hono/zod-openapi";
import { type FoundAuditEntry, findAuditEntries } from "../audit/find-entries.ts";
import { recordAudit } from "../audit/record.ts";
import type { TokenVerifier } from "../auth/tokens.ts";
import type { Database } from "../postgres.ts";
import type { HttpApp } from "./app.ts";
import { actingOf, bearerSecurity, requireRole } from "./auth.ts";
import { EXAMPLE_ID, exampleDay } from "./examples.ts";
import { problemResponses, TOKEN_PROBLEMS } from "./problem.ts";
import { idInputSchema, idSchema, jsonResponse, pageOf, pageQuery, timeInputSchema, timeSchema } from "./schemas.ts";

const timeFilter = (name: string, description: string) =>
  timeInputSchema
    .optional()
    .openapi({ param: { name, in: "query" }, type: "string", format: "date-time", description });

const auditQuery = z.strictObject({
  actorId: idInputSchema.optional().openapi({ description: "Only what this person did." }),
  object: idInputSchema.optional().openapi({ description: "Only what was done to the object with this id." }),
  action: z
    .string()
    .regex(/^[A-Za-z]{1,64}$/, "must be the id of an operation, such as changeUserStatus")
    .optional()
    .openapi({ description: "Only this: the id of an operation of this document, or of what a job did." }),
  from: timeFilter("from", "Not before this time."),
  to: timeFilter("to", "Before this time."),
  ...pageQuery,
});

const values = z.record(z.string(), z.unknown()).nullable();

const auditEntrySchema = z
  .object({
    id: idSchema,
    at: timeSchema,
    actorId: idSchema.nullable().openapi({ description: "Who did it; null for a job of the operator's." }),
    action: z.string().openapi({ description: "The id of the operation." }),
    object: z.object({
      type: z.string(),
      id: idSchema.nullable().openapi({ description: "null where it is about no single one." }),
    }),
    changed: z.array(z.string()).openapi({
      description: "The names of all fields in `before` and `after`, those included that were forgotten with a person.",
    }),
    before: values,
    after: values.openapi({ description: "Of what was only read, what was asked for." }),
    reason: z.string().nullable(),
    requestId: z.string().nullable(),
  })
  .openapi("AuditEntry", {
    example: {
      id: "0199b1b2-9d01-7a52-8c1f-3d2b6e5a4f10",
      at: `${exampleDay(-4)}T20:05:00.000Z`,
      actorId: "0199b1b2-6a11-7e0c-b1d4-0c9d8e7f6a5b",
      action: "changeUserStatus",
      object: { type: "user", id: EXAMPLE_ID },
      changed: ["status"],
      before: { status: "active" },
      after: { status: "suspended" },
      reason: "Chargeback, ticket 4711",
      requestId: "0199b1b2-9cff-7d3e-8a6b-5c4d3e2f1a0b",
    },
  });

export interface AuditDeps {
  ctx: { db: Database };
  verifyToken: TokenVerifier;
}

/**
 * What staff did in a service and what of players they looked at; for admins. Each service has its own.
 *
 * @param unavailability the codes of its 503
 */
export function registerAuditRoute(app: HttpApp, { ctx, verifyToken }: AuditDeps, unavailability: string): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/v1/audit",
      operationId: "listAudit",
      tags: ["Audit (admin)"],
      summary: "What staff did and looked at here, newest first",
      description:
        "One entry for each request that changed something, and for each by which staff looked at a player's data or searched. " +
        "To read this list leaves one too.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "admin"),
      request: { query: auditQuery },
      responses: {
        200: jsonResponse("A page.", pageOf(auditEntrySchema)),
        ...problemResponses({
          400: "`validation_failed`, `invalid_cursor`",
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`",
          503: unavailability,
        }),
      },
    }),
    async (c) => {
      const { object: objectId, limit, cursor, ...rest } = c.req.valid("query");
      const filters = { objectId, ...rest };
      const { data, nextCursor } = await findAuditEntries(ctx.db, { ...filters, limit, cursor });
      await recordAudit(ctx.db, {
        ...actingOf(c),
        action: "listAudit",
        object: { type: "audit" },
        after: filters,
        lasting: Object.keys(filters),
      });
      return c.json({ data: data.map(toAuditJson), nextCursor }, 200);
    },
  );
}

const toAuditJson = ({ at, ...entry }: FoundAuditEntry) => ({ ...entry, at: at.toISOString() });
