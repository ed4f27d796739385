import { sql } from "drizzle-orm";
import { promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { PromotionType } from "../../../lib/events.ts";
import { PG_EXCLUSION_VIOLATION, PG_UNIQUE_VIOLATION, postgresError } from "../../../lib/postgres.ts";
import type { PromotionsContext } from "../context.ts";
import { needsApproval } from "./approval.ts";
import { applyCap, checkBudget, isCapped } from "./cap.ts";
import { generateCode } from "./code.ts";
import {
  auditedFields,
  CODE_CONSTRAINT,
  LASTING_FIELDS,
  type Promotion,
  WELCOME_BONUS_CONSTRAINT,
} from "./promotion.ts";
import { lockWelcomeBonuses } from "./welcome-bonus-lock.ts";

export interface CreatePromotionInput {
  title: string;
  description: string;
  /** the significant conditions, if there are any */
  terms?: string | null;
  type: PromotionType;
  /** minor units of the currency */
  amountMinor: number;
  currency: string;
  startsAt: Date;
  endsAt: Date;
  /** how many claims may be paid, if not any number */
  maxClaims?: number | null;
  /** minor units that claims may use up in all, if not any amount */
  budgetMinor?: number | null;
  /** whether only players claim it whose identity was verified; false where it is not given */
  requiresVerification?: boolean;
  /** hours from the assignment on, if not until the promotion's end */
  claimWithinHours?: number | null;
  /** what players enter to have it, canonical, if they can */
  code?: string | null;
  /** whether it gets a code that nobody can guess, instead of `code` */
  generateCode?: boolean;
  status: "draft" | "active";
  createdBy: string;
  requestId?: string | undefined;
}

/**
 * Creates a promotion. One that is to be active and may cost more than one person may decide is `pending_approval` instead.
 *
 * @throws AppError `currency_not_supported`; `window_invalid`, also for an active one whose window is over; `budget_too_small`;
 * `code_taken` when another promotion that has not ended has the code; or `welcome_bonus_overlap` when another welcome bonus that has
 * not ended holds a part of the window
 */
export async function createPromotion(ctx: PromotionsContext, input: CreatePromotionInput): Promise<Promotion> {
  if (input.currency !== ctx.currency) {
    throw new AppError("invalid_argument", "currency_not_supported", `This casino's currency is ${ctx.currency}.`, {
      errors: [{ path: "body.currency", code: "currency_not_supported", message: `must be ${ctx.currency}` }],
    });
  }
  checkWindow(input.startsAt, input.endsAt);
  if (input.status === "active" && input.endsAt <= new Date()) {
    throw windowInvalid("A promotion whose window is over can't be active.", "must lie ahead");
  }
  const caps = { maxClaims: input.maxClaims ?? null, budgetMinor: input.budgetMinor ?? null };
  const costs = { amountMinor: input.amountMinor, ...caps };
  checkBudget(costs);
  const isSubmitted = input.status === "active" && needsApproval(ctx, costs);
  return refuseClash(() =>
    ctx.db.transaction(async (tx) => {
      if (input.type === "WELCOME_BONUS") await lockWelcomeBonuses(tx, "change");
      const now = sql`clock_timestamp()`;
      const [promotion] = await tx
        .insert(promotions)
        .values({
          ...input,
          ...(isSubmitted ? { status: "pending_approval", submittedBy: input.createdBy } : {}),
          ...(input.generateCode ? { code: generateCode() } : {}),
          editedBy: [input.createdBy],
          createdAt: now,
          updatedAt: now,
        })
        .returning();
      if (promotion === undefined) throw new Error("insert returned no row");
      if (isCapped(promotion)) await applyCap(tx, promotion, false);
      await tx.insert(promotionStatusChanges).values({
        promotionId: promotion.id,
        status: promotion.status,
        changedBy: input.createdBy,
        changedAt: promotion.createdAt,
      });
      await recordAudit(tx, {
        actorId: input.createdBy,
        requestId: input.requestId,
        action: "createPromotion",
        object: { type: "promotion", id: promotion.id },
        after: auditedFields(promotion),
        lasting: LASTING_FIELDS,
      });
      return promotion;
    }),
  );
}

/** @throws AppError `window_invalid` unless the end is after the start */
export function checkWindow(startsAt: Date, endsAt: Date): void {
  if (startsAt < endsAt) return;
  throw windowInvalid("endsAt must be after startsAt.", "must be after startsAt");
}

const windowInvalid = (detail: string, message: string) =>
  new AppError("invalid_argument", "window_invalid", detail, {
    errors: [{ path: "body.endsAt", code: "window_invalid", message }],
  });

/**
 * Turns a violation of what promotions that have not ended share, windows of welcome bonuses and codes, into the error that says what
 * to do about it.
 *
 * @param write a transaction
 */
export async function refuseClash<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const violation = postgresError(cause);
    if (violation?.code === PG_EXCLUSION_VIOLATION && violation.constraint_name === WELCOME_BONUS_CONSTRAINT) {
      throw new AppError(
        "already_exists",
        "welcome_bonus_overlap",
        "Another welcome bonus that has not ended holds a part of this window. End it, or choose another window.",
        { cause },
      );
    }
    if (violation?.code === PG_UNIQUE_VIOLATION && violation.constraint_name === CODE_CONSTRAINT) {
      throw new AppError(
        "already_exists",
        "code_taken",
        "Another promotion that has not ended has this code. End it, or choose another code.",
        { cause },
      );
    }
    throw cause;
  }
}
