import { sql } from "drizzle-orm";
import { assignments, promotionSlots } from "../../../drizzle/promotions/schema.ts";
import type { ClaimContext } from "../context.ts";
import { callBalance } from "./balance.ts";
import type { Claim } from "./begin-claim.ts";

/** What Users has under the key of a claim. */
interface Credited {
  transactionId: string;
  balanceMinor: number;
}

/**
 * Gives up a claim that Users has refused: `claiming → assigned`, and what it had reserved of the cap is free again. Other
 * attempts may be under way, and a frozen one may go on at any time, so the key is voided in Users before; the next claim has
 * a new one.
 *
 * @returns what another attempt was credited meanwhile: then the claim is paid, and nothing is given up
 * @throws AppError `balance_unavailable`; the claim stays `claiming`
 */
export async function giveUpClaim(ctx: ClaimContext, claim: Claim): Promise<Credited | undefined> {
  const { written } = await callBalance(() => ctx.balance.voidTransaction({ idempotencyKey: claim.key }));
  if (written !== undefined) return written;
  await ctx.db.execute(sql`
    with given_up as (
      update ${assignments}
      set status = 'assigned', claiming_at = null, attempted_at = null, claim_key = null, slot = null,
        keys_voided = keys_voided + 1
      where id = ${claim.assignmentId}::uuid and status = 'claiming' and claim_key = ${claim.key}
      returning promotion_id, coalesce(old.slot, 0) as slot
    )
    update ${promotionSlots} set used = used - 1 from given_up
    where promotion_slots.promotion_id = given_up.promotion_id and promotion_slots.slot = given_up.slot`);
  return undefined;
}
