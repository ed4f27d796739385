import { and, desc, eq, lt } from "drizzle-orm";
import { assignments, promotions } from "../../drizzle/promotions/schema.ts";
import { cursorsOf, toPage } from "../../lib/cursor.ts";
import type { PromotionsContext } from "./context.ts";
import type { Promotion } from "./promotion.ts";

export type PlayerPromotionStatus = "assigned" | "claimed" | "expired" | "revoked";

export interface PlayerPromotion {
  promotion: Promotion;
  status: PlayerPromotionStatus;
  assignedAt: Date;
  claimedAt: Date | null;
  transactionId: string | null;
}

/**
 * Lists the promotions assigned to a player, newest first.
 *
 * @throws AppError `invalid_cursor`
 */
export async function findPlayerPromotions(
  ctx: PromotionsContext,
  input: { playerId: string; limit: number; cursor?: string | undefined },
): Promise<{ data: PlayerPromotion[]; nextCursor: string | null }> {
  const cursors = cursorsOf(`player-promotions/${input.playerId}`);
  const after = input.cursor === undefined ? undefined : cursors.decode(input.cursor);
  const rows = await ctx.db
    .select({ assignment: assignments, promotion: promotions })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(and(eq(assignments.playerId, input.playerId), after === undefined ? undefined : lt(assignments.id, after)))
    .orderBy(desc(assignments.id))
    .limit(input.limit + 1);
  const { data, nextCursor } = toPage(rows, input.limit, (row) => cursors.encode(row.assignment.id));
  const now = new Date();
  return { data: data.map((row) => toPlayerPromotion(row, now)), nextCursor };
}

type Row = { assignment: typeof assignments.$inferSelect; promotion: Promotion };

function toPlayerPromotion({ assignment, promotion }: Row, now: Date): PlayerPromotion {
  return {
    promotion,
    status: statusOf({ assignment, promotion }, now),
    assignedAt: assignment.assignedAt,
    claimedAt: assignment.claimedAt,
    transactionId: assignment.transactionId,
  };
}

/** What the player sees: a claim that is under way still counts as assigned; one that can't be claimed any more is expired. */
function statusOf({ assignment, promotion }: Row, now: Date): PlayerPromotionStatus {
  switch (assignment.status) {
    case "claimed":
    case "revoked":
      return assignment.status;
    case "claiming":
      return "assigned";
    case "assigned":
      return promotion.status === "ended" || promotion.endsAt <= now ? "expired" : "assigned";
  }
}
