import { eq, sql } from "drizzle-orm";
import { promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import { recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { PromotionsContext } from "../context.ts";
import { applyCap, CAP_FIELDS, checkBudget } from "./cap.ts";
import { checkWindow, refuseOverlap } from "./create-promotion.ts";
import { auditedFields, LASTING_FIELDS, type Promotion, type PromotionStatus, promotionNotFound } from "./promotion.ts";
import { lockWelcomeBonuses } from "./welcome-bonus-lock.ts";

export interface UpdatePromotionInput {
  id: string;
  changedBy: string;
  requestId?: string | undefined;
  changes: {
    title?: string;
    description?: string;
    terms?: string | null;
    amountMinor?: number;
    startsAt?: Date;
    endsAt?: Date;
    /** null takes the cap away */
    maxClaims?: number | null;
    /** minor units; null takes the cap away */
    budgetMinor?: number | null;
    requiresVerification?: boolean;
    status?: PromotionStatus;
  };
}

/** The steps a promotion may take. A draft may be ended too, which gives its window back. */
const STEPS: Record<PromotionStatus, readonly PromotionStatus[]> = {
  draft: ["active", "ended"],
  active: ["paused", "ended"],
  paused: ["active", "ended"],
  ended: [],
};

/** What players may have been told and staff may have counted on: fixed once a promotion was active. */
const FIXED_AFTER_DRAFT = ["amountMinor", "startsAt", "terms", "requiresVerification"] as const;

/**
 * Changes a promotion and its status. Nothing changes if the same values are sent again.
 *
 * @throws AppError `promotion_not_found`; `promotion_status_forbidden` for a step that isn't allowed, such as to
 * `active` when the window is over; `promotion_ended` for any change of an ended one; `promotion_locked` for amount, start,
 * terms or the need of a verification after the draft; `window_invalid`; `budget_too_small`; `cap_below_used`; `welcome_bonus_overlap`
 */
export async function updatePromotion(ctx: PromotionsContext, input: UpdatePromotionInput): Promise<Promotion> {
  return refuseOverlap(() =>
    ctx.db.transaction(async (tx) => {
      const [known] = await tx.select({ type: promotions.type }).from(promotions).where(eq(promotions.id, input.id));
      if (known?.type === "WELCOME_BONUS") await lockWelcomeBonuses(tx, "change");
      const [current] = await tx.select().from(promotions).where(eq(promotions.id, input.id)).for("update");
      if (current === undefined) throw promotionNotFound();
      const { status, ...fields } = input.changes;
      const changed = changedFields(current, fields);
      const isStep = status !== undefined && status !== current.status;
      if (changed.length === 0 && !isStep) return current;
      checkFields(current, fields, changed);
      if (isStep) checkStep(current.status, status, fields.endsAt ?? current.endsAt);
      checkBudget({ ...current, ...fields });
      // The statement's clock, not the transaction's start: a step that waited for the row happens when it has it.
      const now = sql`clock_timestamp()`;
      const [updated] = await tx
        .update(promotions)
        .set({ ...input.changes, updatedAt: now })
        .where(eq(promotions.id, input.id))
        .returning();
      if (updated === undefined) throw promotionNotFound();
      if (changed.some((name) => CAP_FIELDS.includes(name))) await applyCap(tx, updated, current.status !== "draft");
      if (isStep) {
        await tx
          .insert(promotionStatusChanges)
          .values({ promotionId: updated.id, status, changedBy: input.changedBy, changedAt: updated.updatedAt });
      }
      await recordAudit(tx, {
        actorId: input.changedBy,
        requestId: input.requestId,
        action: "updatePromotion",
        object: { type: "promotion", id: updated.id },
        before: auditedFields(current),
        after: auditedFields(updated),
        lasting: LASTING_FIELDS,
      });
      return updated;
    }),
  );
}

type Fields = Omit<UpdatePromotionInput["changes"], "status">;

/** @returns the names of the fields that have another value now */
function changedFields(current: Promotion, fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([name, value]) => value !== undefined && value?.valueOf() !== current[name as keyof Fields]?.valueOf())
    .map(([name]) => name);
}

function checkFields(current: Promotion, fields: Fields, changed: string[]): void {
  if (changed.length === 0) return;
  if (current.status === "ended") {
    throw new AppError("failed_precondition", "promotion_ended", "An ended promotion can't be changed any more.");
  }
  const locked = changed.filter((name) => FIXED_AFTER_DRAFT.some((fixed) => fixed === name));
  if (current.status !== "draft" && locked.length > 0) {
    throw new AppError(
      "failed_precondition",
      "promotion_locked",
      `Only a draft's ${locked.join(" and ")} can be changed: players may have been told. End this one, create another.`,
    );
  }
  checkWindow(fields.startsAt ?? current.startsAt, fields.endsAt ?? current.endsAt);
  // Who was given the bonus at registration is decided by its window then; the past of a window must not change.
  const now = new Date();
  if (current.status !== "draft" && fields.endsAt !== undefined && (fields.endsAt <= now || current.endsAt <= now)) {
    throw new AppError(
      "failed_precondition",
      "promotion_locked",
      "The end can be moved only while it lies ahead, and only to a time that lies ahead. To end it now, set status to ended.",
    );
  }
}

/** @param endsAt as it is after the change */
function checkStep(from: PromotionStatus, to: PromotionStatus, endsAt: Date): void {
  if (!STEPS[from].includes(to)) {
    const allowed = STEPS[from].length === 0 ? "nothing" : STEPS[from].join(" or ");
    throw statusForbidden(`A promotion that is ${from} can become ${allowed}, not ${to}.`);
  }
  if (to === "active" && endsAt <= new Date()) {
    throw statusForbidden(`Its window is over since ${endsAt.toISOString()}, so it can't become active.`);
  }
}

const statusForbidden = (detail: string) => new AppError("failed_precondition", "promotion_status_forbidden", detail);
