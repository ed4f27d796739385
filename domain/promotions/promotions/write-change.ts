import { eq, sql } from "drizzle-orm";
import { promotionStatusChanges, promotions } from "../../../drizzle/promotions/schema.ts";
import { type Acting, recordAudit } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Queryable } from "../../../lib/postgres.ts";
import { applyCap, CAP_FIELDS } from "./cap.ts";
import { auditedFields, LASTING_FIELDS, type Promotion, type PromotionStatus, promotionNotFound } from "./promotion.ts";
import { lockWelcomeBonuses } from "./welcome-bonus-lock.ts";

/** Locks a promotion for a change of it. @throws AppError `promotion_not_found` */
export async function lockPromotion(tx: Queryable, id: string): Promise<Promotion> {
  const [known] = await tx.select({ type: promotions.type }).from(promotions).where(eq(promotions.id, id));
  if (known?.type === "WELCOME_BONUS") await lockWelcomeBonuses(tx, "change");
  const [current] = await tx.select().from(promotions).where(eq(promotions.id, id)).for("update");
  if (current === undefined) throw promotionNotFound();
  return current;
}

/**
 * Writes a change of a promotion, with all that belongs to it: its caps' slots, the history of its status, and the audit. Every
 * change goes through here, an approval too.
 *
 * @param current the locked row
 * @param change the fields that are other now
 * @throws AppError `cap_below_used`; and what the database refuses
 */
export async function writeChange(
  tx: Queryable,
  current: Promotion,
  change: Partial<Omit<Promotion, "id">>,
  by: Acting & { actorId: string; action: string; reason?: string },
): Promise<Promotion> {
  const [updated] = await tx
    .update(promotions)
    // The statement's clock, not the transaction's start: a step that waited for the row happens when it has it.
    .set({ ...change, updatedAt: sql`clock_timestamp()` })
    .where(eq(promotions.id, current.id))
    .returning();
  if (updated === undefined) throw promotionNotFound();
  if (CAP_FIELDS.some((name) => updated[name] !== current[name])) {
    await applyCap(tx, updated, current.status !== "draft" && current.status !== "pending_approval");
  }
  if (updated.status !== current.status) {
    await tx.insert(promotionStatusChanges).values({
      promotionId: updated.id,
      status: updated.status,
      changedBy: by.actorId,
      changedAt: updated.updatedAt,
    });
  }
  const { action, reason, ...acting } = by;
  await recordAudit(tx, {
    ...acting,
    action,
    object: { type: "promotion", id: updated.id },
    before: auditedFields(current),
    after: auditedFields(updated),
    lasting: LASTING_FIELDS,
    ...(reason === undefined ? {} : { reason }),
  });
  return updated;
}

/** The steps a promotion may take. A draft may be ended too, which gives its window back. */
const STEPS: Record<PromotionStatus, readonly PromotionStatus[]> = {
  draft: ["pending_approval", "active", "ended"],
  pending_approval: ["draft", "active", "ended"],
  active: ["paused", "ended"],
  paused: ["active", "ended"],
  ended: [],
};

/**
 * @param endsAt as it is after the change
 * @throws AppError `promotion_status_forbidden`
 */
export function checkStep(from: PromotionStatus, to: PromotionStatus, endsAt: Date): void {
  if (!STEPS[from].includes(to)) {
    const allowed = STEPS[from].length === 0 ? "nothing" : STEPS[from].join(" or ");
    throw statusForbidden(`A promotion that is ${from} can become ${allowed}, not ${to}.`);
  }
  if ((to === "active" || to === "pending_approval") && endsAt <= new Date()) {
    throw statusForbidden(`Its window is over since ${endsAt.toISOString()}, so it can't become active.`);
  }
}

export const statusForbidden = (detail: string) =>
  new AppError("failed_precondition", "promotion_status_forbidden", detail);
