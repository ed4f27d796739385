import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

interface Assignment {
  id: string;
  player_id: string;
  status: "assigned" | "expired";
  expires_at: string;
  expired_at: string | null;
}

/**
 * Nothing that can be claimed is overdue, once it is by more than the bounds; and nothing was marked before its time. A claim that was
 * begun in time and is refused makes an assignment overdue at once, by as long as the claim took.
 */
export async function checkDeadlines(
  promotions: Snapshot,
  bounds: { lagBoundMs: number; claimingBoundMs: number },
  tally: Tally,
): Promise<void> {
  const boundMs = bounds.lagBoundMs + bounds.claimingBoundMs;
  const [counts] = await promotions<{ checked: number }[]>`
    select count(*)::float8 as checked from assignments where status in ('assigned', 'expired')`;
  tally.checked = counts?.checked ?? 0;
  // As domain/promotions/assignments/deadline.ts derives it, in our own words. The end may have been moved by a clock that is behind.
  const rows = promotions<Assignment[]>`
    select * from (
      select a.id, a.player_id, a.status, a.expired_at, least(p.ends_at, a.assigned_at + make_interval(hours => p.claim_within_hours),
        case p.status when 'ended' then p.updated_at end) as expires_at
      from assignments a join promotions p on p.id = a.promotion_id where a.status in ('assigned', 'expired')
    ) as own
    where case status when 'assigned' then expires_at < now() - ${boundMs}::float8 * interval '1 millisecond'
      else expired_at < expires_at - ${bounds.lagBoundMs}::float8 * interval '1 millisecond' end`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const { id, player_id, status, expires_at, expired_at } of batch) {
      tally.add(() =>
        status === "assigned"
          ? `assignment ${id} of player ${player_id}: assigned, and overdue since ${expires_at}`
          : `assignment ${id} of player ${player_id}: expired at ${expired_at}, before its deadline ${expires_at}`,
      );
    }
  }
}
