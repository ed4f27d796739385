import { and, desc, eq, lt, or, type SQL, sql } from "drizzle-orm";
import { assignments, promotions } from "../../../drizzle/promotions/schema.ts";
import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import { cursorsOf, toPage } from "../../../lib/cursor.ts";
import type { PromotionsContext } from "../context.ts";
import { promotionNotFound } from "../promotions/promotion.ts";
import { expiresAt, isOverdue } from "./deadline.ts";

export const ASSIGNMENT_STATUSES = assignments.status.enumValues;
export type AssignmentStatus = (typeof ASSIGNMENT_STATUSES)[number];

export interface FindAssignmentsInput {
  promotionId: string;
  status?: AssignmentStatus | undefined;
  playerId?: string | undefined;
  limit: number;
  cursor?: string | undefined;
  readBy: Acting;
}

/**
 * Lists the assignments of a promotion, newest first, as staff see them: what has run out is `expired`, marked or not. Whoever asks
 * for one player looks at a player's data, which leaves an entry in the audit.
 *
 * @throws AppError `promotion_not_found`, `invalid_cursor`
 */
export async function findAssignments(ctx: PromotionsContext, input: FindAssignmentsInput) {
  const { promotionId, status, playerId, limit, readBy } = input;
  const cursors = cursorsOf(`assignments/${promotionId}`);
  const after = input.cursor === undefined ? undefined : cursors.decode(input.cursor);
  const rows = await ctx.db
    .select({
      id: assignments.id,
      playerId: assignments.playerId,
      status: sql<AssignmentStatus>`case when ${isRunOut} then 'expired' else ${assignments.status} end`,
      assignedBy: assignments.assignedBy,
      assignedAt: assignments.assignedAt,
      expiresAt,
      claimedAt: assignments.claimedAt,
      transactionId: assignments.transactionId,
      revokedAt: assignments.revokedAt,
      revokeReason: assignments.revokeReason,
    })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(
      and(
        eq(assignments.promotionId, promotionId),
        playerId === undefined ? undefined : eq(assignments.playerId, playerId),
        status === undefined ? undefined : hasStatus(status),
        after === undefined ? undefined : lt(assignments.id, after),
      ),
    )
    .orderBy(desc(assignments.id))
    .limit(limit + 1);
  if (rows.length === 0 && !(await exists(ctx, promotionId))) throw promotionNotFound();
  if (playerId !== undefined) {
    const after = { promotionId, status };
    const object = { type: "player", id: playerId };
    await recordAudit(ctx.db, { ...readBy, action: "listAssignments", object, after, lasting: Object.keys(after) });
  }
  return toPage(rows, limit, (row) => cursors.encode(row.id));
}

const isRunOut = and(eq(assignments.status, "assigned"), isOverdue);

function hasStatus(status: AssignmentStatus): SQL | undefined {
  switch (status) {
    case "assigned":
      return and(eq(assignments.status, "assigned"), sql`not ${isOverdue}`);
    case "expired":
      return or(eq(assignments.status, "expired"), isRunOut);
    default:
      return eq(assignments.status, status);
  }
}

async function exists(ctx: PromotionsContext, promotionId: string): Promise<boolean> {
  const [promotion] = await ctx.db.select({ id: promotions.id }).from(promotions).where(eq(promotions.id, promotionId));
  return promotion !== undefined;
}
