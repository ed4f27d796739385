import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { assignments, players, promotions } from "../../../drizzle/promotions/schema.ts";
import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import { cursorsOf, toPage } from "../../../lib/cursor.ts";
import { builtOnce, type Database, type Queryable } from "../../../lib/postgres.ts";
import { expiresAt, isOverdue } from "../assignments/deadline.ts";
import type { PromotionsContext } from "../context.ts";
import { isExhausted } from "../promotions/cap.ts";
import { playerNotFound } from "../promotions/promotion.ts";

export type PlayerPromotionStatus = "assigned" | "claimed" | "expired" | "revoked";

export interface PlayerPromotion {
  id: string;
  promotion: Row["promotion"];
  status: PlayerPromotionStatus;
  assignedAt: Date;
  /** until when it can be claimed */
  expiresAt: Date;
  claimedAt: Date | null;
  transactionId: string | null;
  /** nothing is left of the promotion's cap */
  exhausted: boolean;
}

/** What players see; what is staff's alone is not even read. */
const shownOfPromotion = {
  id: promotions.id,
  title: promotions.title,
  description: promotions.description,
  terms: promotions.terms,
  type: promotions.type,
  status: promotions.status,
  amountMinor: promotions.amountMinor,
  currency: promotions.currency,
  startsAt: promotions.startsAt,
  endsAt: promotions.endsAt,
  requiresVerification: promotions.requiresVerification,
  claimWithinHours: promotions.claimWithinHours,
  createdAt: promotions.createdAt,
  updatedAt: promotions.updatedAt,
};

const select = (db: Queryable, where: SQL | undefined) =>
  db
    .select({
      assignment: {
        id: assignments.id,
        status: assignments.status,
        assignedAt: assignments.assignedAt,
        claimedAt: assignments.claimedAt,
        transactionId: assignments.transactionId,
        expiresAt,
        isOverdue,
      },
      promotion: shownOfPromotion,
      exhausted: isExhausted,
    })
    .from(assignments)
    .innerJoin(promotions, eq(promotions.id, assignments.promotionId))
    .where(where);
const pageOf = (db: Database, where: SQL | undefined, name: string) =>
  select(db, and(eq(assignments.playerId, sql.placeholder("playerId")), where))
    .orderBy(desc(assignments.id))
    .limit(sql.placeholder("rowsMax"))
    .prepare(name);
const firstPage = builtOnce((db: Database) => pageOf(db, undefined, "player-promotions"));
const pageAfter = builtOnce((db: Database) =>
  pageOf(db, lt(assignments.id, sql.placeholder("after")), "player-promotions-after"),
);

/**
 * Lists the promotions assigned to a player, newest first.
 *
 * @param input.readBy the staff who look at it, for the audit; undefined for one's own. Who has just registered has an empty list until we hear of them
 * @throws AppError `invalid_cursor`; `player_not_found`, but for one's own
 */
export async function findPlayerPromotions(
  ctx: PromotionsContext,
  input: { playerId: string; readBy?: Acting | undefined; limit: number; cursor?: string | undefined },
): Promise<{ data: PlayerPromotion[]; nextCursor: string | null }> {
  const cursors = cursorsOf(`player-promotions/${input.playerId}`);
  const after = input.cursor === undefined ? undefined : cursors.decode(input.cursor);
  const rows = await (after === undefined ? firstPage : pageAfter)(ctx.db).execute({
    playerId: input.playerId,
    after,
    rowsMax: input.limit + 1,
  });
  if (input.readBy !== undefined) {
    if (rows.length === 0 && !(await isKnown(ctx, input.playerId))) throw playerNotFound();
    const object = { type: "player", id: input.playerId };
    await recordAudit(ctx.db, { ...input.readBy, action: "listPlayerPromotions", object });
  }
  const { data, nextCursor } = toPage(rows, input.limit, (row) => cursors.encode(row.assignment.id));
  return { data: data.map(toPlayerPromotion), nextCursor };
}

/** @returns one promotion of a player's list; undefined if they never had it */
export async function findPlayerPromotion(
  db: Queryable,
  { playerId, promotionId }: { playerId: string; promotionId: string },
): Promise<PlayerPromotion | undefined> {
  const [row] = await select(db, and(eq(assignments.playerId, playerId), eq(assignments.promotionId, promotionId)));
  return row === undefined ? undefined : toPlayerPromotion(row);
}

async function isKnown(ctx: PromotionsContext, playerId: string): Promise<boolean> {
  const [player] = await ctx.db.select({ id: players.id }).from(players).where(eq(players.id, playerId));
  return player !== undefined;
}

type Row = Awaited<ReturnType<ReturnType<typeof pageOf>["execute"]>>[number];

function toPlayerPromotion({ assignment, promotion, exhausted }: Row): PlayerPromotion {
  return {
    id: assignment.id,
    promotion,
    status: statusOf(assignment),
    assignedAt: assignment.assignedAt,
    expiresAt: assignment.expiresAt,
    claimedAt: assignment.claimedAt,
    transactionId: assignment.transactionId,
    exhausted,
  };
}

/** What the player sees: a claim or a withdrawal that is under way counts as assigned; one that can't be claimed any more is expired. */
function statusOf({ status, isOverdue }: Row["assignment"]): PlayerPromotionStatus {
  switch (status) {
    case "claimed":
    case "revoked":
    case "expired":
      return status;
    case "claiming":
    case "revoking":
      return "assigned";
    case "assigned":
      return isOverdue ? "expired" : "assigned";
  }
}
