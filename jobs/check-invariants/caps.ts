import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

interface Promotion {
  id: string;
  /** how many claims its caps allow; null if it has none */
  allowed: string | null;
  capacity: string | null;
  used: string | null;
  /** claims that were paid and not taken back, or are under way; not counted where there is no cap */
  claims: string;
}

/** A promotion with a cap counts exactly the claims that were paid or are under way, and has no more of them than it may. */
export async function checkCaps(promotions: Snapshot, tally: Tally): Promise<void> {
  const rows = promotions<Promotion[]>`
    select p.id, least(p.max_claims, p.budget_minor / p.amount_minor) as allowed, slots.capacity, slots.used,
      (select count(*) from assignments a where a.promotion_id = p.id and a.status in ('claiming', 'claimed', 'revoking')) as claims
    from promotions p left join (
      select promotion_id, sum(capacity) as capacity, sum(used) as used from promotion_slots group by promotion_id
    ) as slots on slots.promotion_id = p.id
    where p.max_claims is not null or p.budget_minor is not null or slots.promotion_id is not null
    order by p.id`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const row of batch) {
      tally.checked += 1;
      const problem = problemOf(row);
      if (problem !== undefined) tally.add(() => `promotion ${row.id}: ${problem}`);
    }
  }
}

function problemOf({ allowed, capacity, used, claims }: Promotion): string | undefined {
  if (allowed === null) return "has the slots of a cap, and no cap";
  if (capacity !== allowed) return `may have ${allowed} claims, its slots allow ${capacity ?? "none"}`;
  if (used !== claims) return `${claims} claims are paid or under way, its slots count ${used}`;
  if (BigInt(claims) > BigInt(allowed)) return `${claims} claims are paid or under way, ${allowed} are allowed`;
  return undefined;
}
