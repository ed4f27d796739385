import { and, asc, eq, inArray, not, sql } from "drizzle-orm";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { isOverdue } from "./deadline.ts";

/**
 * Finds who has as many open promotions as a player may have. An open one is assigned or being claimed, and its deadline lies ahead.
 *
 * @param tx the transaction that assigns. The players' rows stay locked in it, in the order of their ids, so that of two
 * promotions assigned to one player at once the second counts the first
 * @param input.dryRun whether to lock nothing
 * @returns those who may not be given this promotion; whoever has it already, or had it, is none of them
 */
export async function findFullPlayers(
  tx: Queryable,
  input: { playerIds: readonly string[]; promotionId: string; openMax: number; dryRun: boolean },
): Promise<Set<string>> {
  const ids = sql`(select unnest(${sql.param(input.playerIds)}::uuid[]))`;
  if (!input.dryRun) {
    await tx
      .select({ id: players.id })
      .from(players)
      .where(inArray(players.id, ids))
      .orderBy(asc(players.id))
      .for("no key update");
  }
  // A statement of its own: it sees what others have committed while this one waited for a lock.
  const isOpen = and(inArray(assignments.status, ["assigned", "claiming"]), not(isOverdue));
  const full = await tx
    .select({ id: assignments.playerId })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(inArray(assignments.playerId, ids))
    .groupBy(assignments.playerId)
    .having(
      and(
        sql`count(*) filter (where ${isOpen}) >= ${input.openMax}`,
        sql`not bool_or(${assignments.promotionId} = ${input.promotionId}::uuid)`,
      ),
    );
  return new Set(full.map(({ id }) => id));
}
