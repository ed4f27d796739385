import { and, eq, inArray, sql } from "drizzle-orm";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import type { PlayerStatus } from "../../../lib/events.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { PromotionsContext } from "../context.ts";
import { assignedEvent, findInactivity, type Promotion, promotionNotFound } from "../promotions/promotion.ts";
import { findFullPlayers } from "./find-full-players.ts";

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

export type RejectionCode =
  | "player_not_found"
  | "player_suspended"
  | "player_self_excluded"
  | "player_not_verified"
  | "too_many_open_promotions";

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
      .select({ id: players.id, status: players.status, verified: players.verified })
      .from(players)
      .where(inArray(players.id, sql`(select unnest(${sql.param(playerIds)}::uuid[]))`));
    const playerOf = new Map(known.map((player) => [player.id, player]));
    const rejections = new Map<string, RejectionCode>();
    for (const id of playerIds) {
      const code = rejectionOf(playerOf.get(id), promotion);
      if (code !== undefined) rejections.set(id, code);
    }
    if (ctx.openPromotionsMax !== undefined) {
      const full = await findFullPlayers(tx, {
        playerIds: playerIds.filter((id) => !rejections.has(id)),
        promotionId: promotion.id,
        openMax: ctx.openPromotionsMax,
        dryRun: input.dryRun === true,
      });
      for (const id of full) rejections.set(id, "too_many_open_promotions");
    }
    const eligible = playerIds.filter((id) => !rejections.has(id));
    const result = (assigned: number): AssignPromotionResult => ({
      assigned,
      alreadyAssigned: eligible.length - assigned,
      rejected: [...rejections].map(([playerId, code]) => ({ playerId, code })),
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
    const assigned = await insertAssignments(tx, promotion.id, eligible, input.assignedBy);
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

/** @returns why a player can't be given the promotion; undefined if they can */
function rejectionOf(
  player: { status: PlayerStatus; verified: boolean } | undefined,
  { requiresVerification }: Promotion,
): RejectionCode | undefined {
  switch (player?.status) {
    case undefined:
      return "player_not_found";
    case "suspended":
      return "player_suspended";
    case "self_excluded":
      return "player_self_excluded";
    case "active":
      return requiresVerification && !player.verified ? "player_not_verified" : undefined;
  }
}

/** One statement, whose text is the same for any number of players. @returns those who did not have it before */
export async function insertAssignments(tx: Queryable, promotionId: string, playerIds: string[], assignedBy: string) {
  if (playerIds.length === 0) return [];
  const rows = await tx.execute<{ player_id: string; assigned_at: string }>(sql`
    insert into ${assignments} (player_id, promotion_id, assigned_by)
    select player_id, ${promotionId}::uuid, ${assignedBy}::uuid from unnest(${sql.param(playerIds)}::uuid[]) as player_id
    on conflict (player_id, promotion_id) do nothing
    returning player_id, assigned_at`);
  return rows.map((row) => ({ playerId: row.player_id, assignedAt: new Date(row.assigned_at) }));
}
