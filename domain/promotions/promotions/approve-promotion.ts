import type { Acting } from "../../../lib/audit/record.ts";
import { AppError } from "../../../lib/errors.ts";
import type { PromotionsContext } from "../context.ts";
import { refuseClash } from "./create-promotion.ts";
import type { Promotion } from "./promotion.ts";
import { checkStep, lockPromotion, statusForbidden, writeChange } from "./write-change.ts";

export interface ApprovePromotionInput extends Acting {
  id: string;
  actorId: string;
  /** what the admin has read; another one may be there by now */
  version: number;
}

/**
 * Approves what waits for it: a promotion becomes active, or one that is becomes what `pendingChange` says. The same again by
 * who approved it changes nothing.
 *
 * @throws AppError `promotion_not_found`; `version_outdated` if it was changed since; `own_approval` for who changed or submitted
 * it since the last approval; `promotion_status_forbidden` if nothing waits, or its window is over; `welcome_bonus_overlap`;
 * `cap_below_used`
 */
export async function approvePromotion(ctx: PromotionsContext, input: ApprovePromotionInput): Promise<Promotion> {
  const { id, version, ...acting } = input;
  return refuseClash(() =>
    ctx.db.transaction(async (tx) => {
      const current = await lockPromotion(tx, id);
      if (current.version !== version) throw versionOutdated(current.version);
      const isPending = current.status === "pending_approval";
      if (!isPending && current.pendingChange === null) {
        if (current.approvedVersion === version && current.approvedBy === acting.actorId) return current;
        throw statusForbidden("Nothing of it waits for an approval.");
      }
      // An older version creates promotions without a word of who changed them.
      const isCreator = current.approvedVersion === null && current.createdBy === acting.actorId;
      if (isCreator || current.editedBy.includes(acting.actorId)) {
        throw new AppError(
          "permission_denied",
          "own_approval",
          "You have changed or submitted this promotion since it was last approved; another admin must approve it.",
        );
      }
      if (isPending) checkStep(current.status, "active", current.endsAt);
      const approved = isPending ? { status: "active" as const } : { ...current.pendingChange, pendingChange: null };
      const approval = { approvedBy: acting.actorId, approvedVersion: version, editedBy: [] };
      return writeChange(tx, current, { ...approved, ...approval }, { ...acting, action: "approvePromotion" });
    }),
  );
}

const versionOutdated = (version: number) =>
  new AppError(
    "failed_precondition",
    "version_outdated",
    `It was changed since: it has version ${version} now. Read it again, and approve that one.`,
  );

export interface RejectPromotionInput extends Acting {
  id: string;
  actorId: string;
  reason: string;
}

/**
 * Rejects what waits for an approval: a promotion is a draft again, or the change of an active one is dropped.
 *
 * @throws AppError `promotion_not_found`; `promotion_status_forbidden` if nothing waits
 */
export async function rejectPromotion(ctx: PromotionsContext, input: RejectPromotionInput): Promise<Promotion> {
  const { id, ...by } = input;
  return ctx.db.transaction(async (tx) => {
    const current = await lockPromotion(tx, id);
    const isPending = current.status === "pending_approval";
    if (!isPending && current.pendingChange === null) throw statusForbidden("Nothing of it waits for an approval.");
    const rejected = isPending ? { status: "draft" as const } : { pendingChange: null };
    return writeChange(
      tx,
      current,
      { ...rejected, version: current.version + 1 },
      { ...by, action: "rejectPromotion" },
    );
  });
}
