import { runClaimReconciler } from "../../../../workers/claim-reconciler/claim-reconciler.ts";
import { type PromotionsInput, watchedPromotions } from "./promotions-context.ts";
import { beginVictim } from "./steps.ts";

export interface Input extends PromotionsInput {
  staleAfterMs: number;
}

const { input, reach } = beginVictim<Input>();
runClaimReconciler(watchedPromotions(input, reach), { staleAfterMs: input.staleAfterMs, intervalMs: 50 });
