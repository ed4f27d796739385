import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

/** No assignment has been in `claiming` longer than the bound: the reconciler finishes each, however it was left. */
export async function checkStuckClaims(
  promotions: Snapshot,
  bounds: { claimingBoundMs: number },
  tally: Tally,
): Promise<void> {
  const rows = promotions<{ id: string; player_id: string; claiming_at: string | null; is_due: boolean }[]>`
    select id, player_id, claiming_at,
      coalesce(claiming_at < now() - ${bounds.claimingBoundMs}::float8 * interval '1 millisecond', true) as is_due
    from assignments where status = 'claiming'`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const { id, player_id, claiming_at, is_due } of batch) {
      tally.checked += 1;
      if (!is_due) continue;
      tally.add(() => `assignment ${id} of player ${player_id}: claiming since ${claiming_at ?? "nobody knows"}`);
    }
  }
}
