import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

/** No assignment has been in `claiming` or `revoking` longer than the bound: the reconciler finishes each, however it was left. */
export async function checkStuckClaims(
  promotions: Snapshot,
  bounds: { claimingBoundMs: number },
  tally: Tally,
): Promise<void> {
  const rows = promotions<{ id: string; player_id: string; status: string; since: string | null; is_due: boolean }[]>`
    select id, player_id, status, since,
      coalesce(since < now() - ${bounds.claimingBoundMs}::float8 * interval '1 millisecond', true) as is_due
    from (
      select id, player_id, status, claiming_at as since from assignments where status = 'claiming'
      union all select id, player_id, status, revoking_at from assignments where status = 'revoking'
    ) as under_way`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const { id, player_id, status, since, is_due } of batch) {
      tally.checked += 1;
      if (!is_due) continue;
      tally.add(() => `assignment ${id} of player ${player_id}: ${status} since ${since ?? "nobody knows"}`);
    }
  }
}
