import { promotionStatusChanges, promotions } from "../../drizzle/promotions/schema.ts";
import { AppError } from "../../lib/errors.ts";
import type { PromotionType } from "../../lib/events.ts";
import { PG_DEADLOCK_DETECTED, PG_EXCLUSION_VIOLATION, postgresError } from "../../lib/postgres.ts";
import type { PromotionsContext } from "./context.ts";
import { type Promotion, WELCOME_BONUS_CONSTRAINT } from "./promotion.ts";

export interface CreatePromotionInput {
  title: string;
  description: string;
  type: PromotionType;
  /** minor units of the currency */
  amountMinor: number;
  currency: string;
  startsAt: Date;
  endsAt: Date;
  status: "draft" | "active";
  createdBy: string;
}

/**
 * Creates a promotion.
 *
 * @throws AppError `currency_not_supported`, `window_invalid`, or `welcome_bonus_overlap` when another welcome bonus
 * that has not ended holds a part of the window
 */
export async function createPromotion(ctx: PromotionsContext, input: CreatePromotionInput): Promise<Promotion> {
  if (input.currency !== ctx.currency) {
    throw new AppError("invalid_argument", "currency_not_supported", `This casino's currency is ${ctx.currency}.`, {
      errors: [{ path: "body.currency", code: "currency_not_supported", message: `must be ${ctx.currency}` }],
    });
  }
  checkWindow(input.startsAt, input.endsAt);
  return refuseOverlap(() =>
    ctx.db.transaction(async (tx) => {
      const [promotion] = await tx.insert(promotions).values(input).returning();
      if (promotion === undefined) throw new Error("insert returned no row");
      await tx.insert(promotionStatusChanges).values({
        promotionId: promotion.id,
        status: promotion.status,
        changedBy: input.createdBy,
        changedAt: promotion.createdAt,
      });
      return promotion;
    }),
  );
}

/** @throws AppError `window_invalid` unless the end is after the start */
export function checkWindow(startsAt: Date, endsAt: Date): void {
  if (startsAt < endsAt) return;
  throw new AppError("invalid_argument", "window_invalid", "endsAt must be after startsAt.", {
    errors: [{ path: "body.endsAt", code: "window_invalid", message: "must be after startsAt" }],
  });
}

/** Two in a row are most unlikely. */
const DEADLOCK_RETRIES_MAX = 5;

/**
 * Turns a violation of the exclusion constraint into the error that says what to do about it. Of two that check it at the
 * same moment PostgreSQL may end one as a deadlock (its execIndexing.c); that one is written again, and meets the other.
 *
 * @param write a transaction
 */
export async function refuseOverlap<T>(write: () => Promise<T>, retries = DEADLOCK_RETRIES_MAX): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const violation = postgresError(cause);
    if (violation?.code === PG_DEADLOCK_DETECTED && retries > 0) return refuseOverlap(write, retries - 1);
    if (violation?.code === PG_EXCLUSION_VIOLATION && violation.constraint_name === WELCOME_BONUS_CONSTRAINT) {
      throw new AppError(
        "already_exists",
        "welcome_bonus_overlap",
        "Another welcome bonus that has not ended holds a part of this window. End it, or choose another window.",
        { cause },
      );
    }
    throw cause;
  }
}
