import { and, eq, gt, lte, sql } from "drizzle-orm";
import { players, promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { enqueueEvents } from "../../../lib/outbox/enqueue.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import type { OptInContext, PromotionsContext } from "../context.ts";
import { findPlayerPromotion, type PlayerPromotion } from "../players/find-player-promotions.ts";
import { isExhausted } from "../promotions/cap.ts";
import { canonicalCode } from "../promotions/code.ts";
import {
  assignedEvent,
  assignmentExpired,
  playerNotVerified,
  promotionExhausted,
  promotionRevoked,
} from "../promotions/promotion.ts";
import { insertAssignments } from "./assign-promotion.ts";
import { findFullPlayers } from "./find-full-players.ts";

export interface OptInInput {
  playerId: string;
  /** as the player has entered it */
  code: string;
  /** of the client, for the limit of guesses; "" where it is not known */
  address: string;
  traceparent?: string;
}

export interface OptInResult extends PlayerPromotion {
  /** whether they had it before */
  replayed: boolean;
}

/**
 * Gives a player the promotion whose code they know, once, and announces it, in one transaction.
 *
 * @throws AppError `code_unknown`, also for a promotion that is not active now, and only this counts as a guess; `too_many_attempts`;
 * `promotion_revoked`, `assignment_expired` for who had it; `player_not_active`, `player_not_verified`, `promotion_exhausted`,
 * `too_many_open_promotions`
 */
export async function optIn(ctx: OptInContext, input: OptInInput): Promise<OptInResult> {
  const giveBack = await ctx.codeGuesses.begin(input);
  try {
    const result = await ctx.db.transaction((tx) => assignByCode(ctx, tx, input));
    await giveBack();
    return result;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "code_unknown")) await giveBack();
    throw error;
  }
}

async function assignByCode(ctx: PromotionsContext, tx: Queryable, input: OptInInput): Promise<OptInResult> {
  const { playerId } = input;
  const found = await lockByCode(tx, canonicalCode(input.code), playerId);
  if (found === undefined) {
    throw new AppError(
      "not_found",
      "code_unknown",
      "There is no promotion with this code now. Check how it is written.",
    );
  }
  const { promotion, player, exhausted } = found;
  const thisOne = { playerId, promotionId: promotion.id };
  const earlier = await findPlayerPromotion(tx, thisOne);
  if (earlier !== undefined) return replay(earlier);

  if (player?.status !== "active") throw playerNotActive(player?.status);
  if (promotion.requiresVerification && !player.verified) throw playerNotVerified();
  if (exhausted) throw promotionExhausted();
  if (ctx.openPromotionsMax !== undefined) {
    const full = await findFullPlayers(tx, {
      playerIds: [playerId],
      promotionId: promotion.id,
      openMax: ctx.openPromotionsMax,
      dryRun: false,
    });
    if (full.has(playerId)) throw tooManyOpenPromotions();
  }
  // By the player themselves: null would be the system's own welcome bonus.
  const [assigned] = await insertAssignments(tx, promotion.id, [playerId], playerId);
  if (assigned !== undefined) {
    await enqueueEvents(tx, [assignedEvent(promotion, playerId, assigned.assignedAt)], input.traceparent);
  }
  const item = await findPlayerPromotion(tx, thisOne);
  if (item === undefined) throw new Error(`promotion ${promotion.id} is assigned to player ${playerId} and not theirs`);
  return assigned === undefined ? replay(item) : { ...item, replayed: false };
}

/**
 * One statement, whether there is no such code or its promotion is not active: neither its answer nor its time tells which. What it
 * finds stays locked against a pause or an end that would commit before the assignment.
 */
async function lockByCode(tx: Queryable, code: string, playerId: string) {
  const [found] = await tx
    .select({ promotion: promotions, player: players, exhausted: isExhausted })
    .from(promotions)
    .leftJoin(players, eq(players.id, playerId))
    .where(
      and(
        eq(promotions.code, code),
        // As a literal, from which PostgreSQL sees that the index of codes has it.
        sql`${promotions.status} = 'active'`,
        lte(promotions.startsAt, sql`now()`),
        gt(promotions.endsAt, sql`now()`),
      ),
    )
    .for("share", { of: promotions });
  return found;
}

/** @throws AppError `promotion_revoked`, `assignment_expired`: what a player had they don't get a second time */
function replay(item: PlayerPromotion): OptInResult {
  switch (item.status) {
    case "revoked":
      throw promotionRevoked();
    case "expired":
      throw assignmentExpired();
    case "assigned":
    case "claimed":
      return { ...item, replayed: true };
  }
}

const playerNotActive = (status: string | undefined) =>
  new AppError(
    "permission_denied",
    "player_not_active",
    status === undefined
      ? "We have not heard of your registration yet; try again in a moment."
      : "Your account is not active; contact the casino.",
  );

const tooManyOpenPromotions = () =>
  new AppError(
    "failed_precondition",
    "too_many_open_promotions",
    "You have as many open promotions as you may have. Claim one first, or wait until one has ended.",
  );
