import { and, eq, inArray, sql } from "drizzle-orm";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import type { PlayerStatus } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { PromotionsContext } from "../context.ts";
import { assignedEvent, findInactivity, promotionNotFound } from "../promotions/promotion.ts";

export interface AssignPromotionInput {
  promotionId: string;
  /** at most 10,000; repeated ones count once */
  playerIds: string[];
  assignedBy: string;
  requestId?: string | undefined;
  traceparent?: string;
  /** whether to write nothing, and only say what would become of each */
  dryRun?: boolean;
}

export type RejectionCode = "player_not_found" | "player_suspended" | "player_self_excluded";

export interface AssignPromotionResult {
  assigned: number;
  alreadyAssigned: number;
  rejected: { playerId: string; code: RejectionCode }[];
}

/**
 * Assigns a promotion to many players and announces it to each, in one transaction, with one entry of the audit for all.
 *
 * @returns how many have it now, how many had it before, and who can't have it and why
 * @throws AppError `promotion_not_found`, `promotion_not_active`
 */
export async function assignPromotion(
  ctx: PromotionsContext,
  input: AssignPromotionInput,
): Promise<AssignPromotionResult> {
  // Sorted, so that two requests with the same players take their locks in the same order.
  const playerIds = [...new Set(input.playerIds)].sort();
  return ctx.db.transaction(async (tx) => {
    // Locked against a pause or an end that would commit between this check and the assignments.
    const [promotion] = await tx.select().from(promotions).where(eq(promotions.id, input.promotionId)).for("share");
    if (promotion === undefined) throw promotionNotFound();
    const inactivity = findInactivity(promotion, new Date());
    if (inactivity !== undefined) throw inactivity;

    const known = await tx
      .select({ id: players.id, status: players.status })
      .from(players)
      .where(inArray(players.id, sql`(select unnest(${sql.param(playerIds)}::uuid[]))`));
    const statusOf = new Map(known.map(({ id, status }) => [id, status]));
    const eligible = playerIds.filter((id) => statusOf.get(id) === "active");
    const result = (assigned: number): AssignPromotionResult => ({
      assigned,
      alreadyAssigned: eligible.length - assigned,
      rejected: playerIds
        .filter((id) => statusOf.get(id) !== "active")
        .map((playerId) => ({ playerId, code: rejectionOf(statusOf.get(playerId)) })),
    });

    if (input.dryRun) {
      const having = await tx
        .select({ id: assignments.playerId })
        .from(assignments)
        .where(
          and(
            eq(assignments.promotionId, promotion.id),
            inArray(assignments.playerId, sql`(select unnest(${sql.param(eligible)}::uuid[]))`),
          ),
        );
      return result(eligible.length - having.length);
    }
    const assigned =
      eligible.length === 0
        ? []
        : await tx
            .insert(assignments)
            .select(
              // Every column, in the order of the table.
              sql`select uuidv7(), player_id, ${promotion.id}::uuid, 'assigned'::assignment_status,
                    ${input.assignedBy}::uuid, now(), null::timestamptz, null::timestamptz, 0, 0,
                    null::timestamptz, null::uuid, null::bigint
                  from unnest(${sql.param(eligible)}::uuid[]) as player_id`,
            )
            .onConflictDoNothing({ target: [assignments.playerId, assignments.promotionId] })
            .returning({ playerId: assignments.playerId, assignedAt: assignments.assignedAt });
    await enqueueEvents(
      tx,
      assigned.map(({ playerId, assignedAt }) => assignedEvent(promotion, playerId, assignedAt)),
      input.traceparent,
    );
    if (assigned.length > 0) {
      const { rejected, ...counts } = result(assigned.length);
      const after = { ...counts, rejected: rejected.length };
      await recordAudit(tx, {
        actorId: input.assignedBy,
        requestId: input.requestId,
        action: "assignPromotion",
        object: { type: "promotion", id: promotion.id },
        after,
        lasting: Object.keys(after),
      });
    }
    return result(assigned.length);
  });
}

function rejectionOf(status: PlayerStatus | undefined): RejectionCode {
  switch (status) {
    case "suspended":
      return "player_suspended";
    case "self_excluded":
      return "player_self_excluded";
    default:
      return "player_not_found";
  }
}
