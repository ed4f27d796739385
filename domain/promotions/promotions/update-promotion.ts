import { isDeepStrictEqual } from "node:util";
import type { PendingChange } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import type { PromotionsContext } from "../context.ts";
import { needsApproval } from "./approval.ts";
import { checkBudget, claimsAllowed } from "./cap.ts";
import { checkWindow, refuseClash } from "./create-promotion.ts";
import type { Promotion, PromotionStatus } from "./promotion.ts";
import { checkStep, lockPromotion, writeChange } from "./write-change.ts";

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
    /** hours from the assignment on; null is until the promotion's end */
    claimWithinHours?: number | null;
    /** canonical; null takes it away */
    code?: string | null;
    status?: PromotionStatus;
  };
}

/** What players may have been told and staff may have counted on: fixed once a promotion was active. */
const FIXED_AFTER_DRAFT = [
  "amountMinor",
  "startsAt",
  "terms",
  "requiresVerification",
  "claimWithinHours",
  "code",
] as const;

/**
 * Changes a promotion and its status. Nothing changes if the same values are sent again. What may cost more than one person may
 * decide waits for an admin's approval: a draft becomes `pending_approval` instead of `active`, and caps of an active one that are
 * raised become `pendingChange`, while the old ones hold. A change of what is `pending_approval` makes it a draft, which must be
 * submitted again.
 *
 * @throws AppError `promotion_not_found`; `promotion_status_forbidden` for a step that isn't allowed, such as to
 * `active` when the window is over; `promotion_ended` for any change of an ended one; `promotion_locked` for what is fixed
 * after the draft; `window_invalid`; `budget_too_small`; `cap_below_used`; `code_taken`; `welcome_bonus_overlap`
 */
export async function updatePromotion(ctx: PromotionsContext, input: UpdatePromotionInput): Promise<Promotion> {
  return refuseClash(() =>
    ctx.db.transaction(async (tx) => {
      const current = await lockPromotion(tx, input.id);
      const change = planChange(ctx, current, input.changes, input.changedBy);
      if (change === undefined) return current;
      const { changedBy: actorId, requestId } = input;
      return writeChange(tx, current, change, { actorId, requestId, action: "updatePromotion" });
    }),
  );
}

/** @returns what is to be written; undefined if nothing changes */
function planChange(
  ctx: PromotionsContext,
  current: Promotion,
  { status: wanted, ...fields }: UpdatePromotionInput["changes"],
  actorId: string,
): Partial<Promotion> | undefined {
  const changed = changedFields(current, fields);
  checkFields(current, fields, changed);
  const next = { ...current, ...fields };
  if (changed.length > 0) checkBudget(next);
  const status = nextStatus(ctx, current, next, { wanted, isChanged: changed.length > 0 });
  if (status !== current.status) checkStep(current.status, status, next.endsAt);
  const { caps, pendingChange } = planCaps(ctx, current, fields);
  const isSubmitted =
    (status === "pending_approval" && (changed.length > 0 || status !== current.status)) ||
    (pendingChange !== null && !isDeepStrictEqual(pendingChange, current.pendingChange));
  const change: Partial<Promotion> = {
    ...fields,
    ...caps,
    status,
    pendingChange: status === "ended" ? null : pendingChange,
    ...(isSubmitted ? { submittedBy: actorId } : {}),
  };
  const names = Object.keys(change) as (keyof Promotion)[];
  const isOther = names.some((name) => change[name] !== undefined && !isDeepStrictEqual(change[name], current[name]));
  if (!isOther) return undefined;
  const isEdit = changed.length > 0 || !isDeepStrictEqual(pendingChange, current.pendingChange) || isSubmitted;
  return {
    ...change,
    version: current.version + 1,
    editedBy: isEdit ? [...new Set([...current.editedBy, actorId])] : current.editedBy,
  };
}

const isBeforeActive = (status: PromotionStatus) => status === "draft" || status === "pending_approval";

function nextStatus(
  ctx: PromotionsContext,
  current: Promotion,
  next: Promotion,
  { wanted, isChanged }: { wanted: PromotionStatus | undefined; isChanged: boolean },
): PromotionStatus {
  if (!isBeforeActive(current.status)) return wanted ?? current.status;
  if (wanted === "active" && needsApproval(ctx, next)) return "pending_approval";
  return wanted ?? (isChanged ? "draft" : current.status);
}

/**
 * A cap that is not sent stays what it is, or what it is to be. Those that are sent take the place of what waits.
 *
 * @returns the caps that hold from now on, and those that wait for an approval
 */
function planCaps(ctx: PromotionsContext, current: Promotion, fields: Fields) {
  const held: PendingChange = { maxClaims: current.maxClaims, budgetMinor: current.budgetMinor };
  if (fields.maxClaims === undefined && fields.budgetMinor === undefined) {
    return { caps: held, pendingChange: current.pendingChange };
  }
  const { maxClaims, budgetMinor } = current.pendingChange ?? held;
  const wanted: PendingChange = {
    maxClaims: fields.maxClaims === undefined ? maxClaims : fields.maxClaims,
    budgetMinor: fields.budgetMinor === undefined ? budgetMinor : fields.budgetMinor,
  };
  if (isBeforeActive(current.status)) return { caps: wanted, pendingChange: null };
  const claims = (caps: PendingChange) => claimsAllowed({ ...current, ...caps }) ?? Number.POSITIVE_INFINITY;
  // By what it pays in fact: a budget of which the claims leave most has room for a raise that its cost does not show.
  const isRaised = claims(wanted) > claims(held);
  if (!isRaised || !needsApproval(ctx, { ...current, ...wanted })) return { caps: wanted, pendingChange: null };
  return { caps: held, pendingChange: wanted };
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
  if (!isBeforeActive(current.status) && locked.length > 0) {
    throw new AppError(
      "failed_precondition",
      "promotion_locked",
      `Only a draft's ${locked.join(" and ")} can be changed: players may have been told. End this one, create another.`,
    );
  }
  checkWindow(fields.startsAt ?? current.startsAt, fields.endsAt ?? current.endsAt);
  // Who was given the bonus at registration is decided by its window then; the past of a window must not change.
  const now = new Date();
  if (
    !isBeforeActive(current.status) &&
    fields.endsAt !== undefined &&
    (fields.endsAt <= now || current.endsAt <= now)
  ) {
    throw new AppError(
      "failed_precondition",
      "promotion_locked",
      "The end can be moved only while it lies ahead, and only to a time that lies ahead. To end it now, set status to ended.",
    );
  }
}
