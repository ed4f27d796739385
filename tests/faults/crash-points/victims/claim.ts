import { claimPromotion } from "../../../../domain/promotions/claims/claim-promotion.ts";
import { type PromotionsInput, watchedPromotions } from "./promotions-context.ts";
import { beginVictim, log } from "./steps.ts";

export interface Input extends PromotionsInput {
  promotionId: string;
  /** Players who claim it at once. */
  playerIds: string[];
}

const { input, reach } = beginVictim<Input>();
const { promotionId, playerIds } = input;
const ctx = watchedPromotions(input, reach);
const claim = async (playerId: string) => {
  try {
    await claimPromotion(ctx, { playerId, promotionId });
    reach("answer");
  } catch (error) {
    log.warn({ err: error }, "refused; the others go on");
  }
};
await Promise.all(playerIds.map(claim));
process.exit(0);
