import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

interface OptIn {
  id: string;
  player_id: string;
  promotion_id: string;
  has_code: boolean;
}

/** What players gave themselves (`assigned_by` is the player) has a code, which is fixed before anybody can enter it. */
export async function checkCodes(promotions: Snapshot, tally: Tally): Promise<void> {
  const rows = promotions<OptIn[]>`
    select a.id, a.player_id, a.promotion_id, p.code is not null as has_code
    from assignments a join promotions p on p.id = a.promotion_id
    where a.assigned_by = a.player_id
    order by a.id`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const row of batch) {
      tally.checked += 1;
      if (row.has_code) continue;
      tally.add(
        () => `assignment ${row.id}: player ${row.player_id} opted in to ${row.promotion_id}, which has no code`,
      );
    }
  }
}
