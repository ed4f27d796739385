import type { PendingChange } from "../../../drizzle/promotions/schema.ts";
import type { PromotionsContext } from "../context.ts";
import { claimsAllowed } from "./cap.ts";

type Costs = PendingChange & { amountMinor: number };

/** @returns what a promotion may cost at most, in minor units; Infinity if it has no cap */
function greatestCost(promotion: Costs): number {
  const allowed = claimsAllowed(promotion);
  if (allowed === undefined) return Number.POSITIVE_INFINITY;
  // An exact integer, or so large that it is beyond any threshold.
  return promotion.budgetMinor ?? promotion.amountMinor * allowed;
}

/** @returns whether a second person must approve it: its greatest cost exceeds what one person may decide */
export const needsApproval = (ctx: PromotionsContext, promotion: Costs): boolean =>
  ctx.approvalThresholdMinor !== undefined && greatestCost(promotion) > ctx.approvalThresholdMinor;
