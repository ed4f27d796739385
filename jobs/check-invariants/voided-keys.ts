import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

/** Nothing was written under an idempotency key that was voided. */
export async function checkVoidedKeys(users: Snapshot, tally: Tally): Promise<void> {
  const rows = users<{ key: string; transaction_id: string | null }[]>`
    select v.idempotency_key as key, t.id as transaction_id
    from voided_keys v left join transactions t using (idempotency_key)`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const { key, transaction_id } of batch) {
      tally.checked += 1;
      if (transaction_id !== null) tally.add(() => `key ${key} was voided, and transaction ${transaction_id} has it`);
    }
  }
}
