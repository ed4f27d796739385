import type { Tally } from "./report.ts";
import type { Snapshot } from "./snapshots.ts";
import { CURSOR_ROWS } from "./snapshots.ts";

interface Row {
  user_id: string;
  balance_minor: string | null;
  sum_minor: string;
  first_inconsistent: string | null;
  has_other_currency: boolean;
}

/**
 * Each balance is the sum of the player's transactions and not negative, each transaction's balance is the sum up to it,
 * and all are in the player's currency. In the order of ids, which is that of the balances (add-transaction.ts).
 */
export async function checkBalances(users: Snapshot, tally: Tally): Promise<void> {
  const [counts] = await users<{ users: number; transactions: number }[]>`
    select (select count(*) from users)::float8 as users, (select count(*) from transactions)::float8 as transactions`;
  tally.checked = counts?.users ?? 0;
  tally.note = `${counts?.transactions} transactions`;
  const rows = users<Row[]>`
    with ledger as (
      select id, user_id, currency, balance_after_minor,
        sum(case type when 'CREDIT' then amount_minor else -amount_minor end)
          over (partition by user_id order by id) as running_minor,
        case type when 'CREDIT' then amount_minor else -amount_minor end as change_minor
      from transactions
    ), sums as (
      select user_id, sum(change_minor) as sum_minor, min(currency) as currency_min, max(currency) as currency_max,
        min(id::text) filter (where balance_after_minor <> running_minor or running_minor < 0) as first_inconsistent
      from ledger group by user_id
    )
    select * from (
      select coalesce(users.id, sums.user_id) as user_id, users.balance_minor, coalesce(sums.sum_minor, 0) as sum_minor,
        sums.first_inconsistent,
        coalesce(sums.currency_min <> users.currency or sums.currency_max <> users.currency, false) as has_other_currency
      from users full join sums on sums.user_id = users.id) as found
    where balance_minor is distinct from sum_minor or balance_minor < 0 or first_inconsistent is not null
      or has_other_currency`.cursor(CURSOR_ROWS);
  for await (const batch of rows) for (const row of batch) tally.add(() => describe(row));
}

function describe(row: Row): string {
  if (row.balance_minor === null) return `user ${row.user_id} does not exist and has transactions`;
  const problems: string[] = [];
  if (row.balance_minor !== row.sum_minor) {
    problems.push(`the balance is ${row.balance_minor}, the sum of the transactions ${row.sum_minor}`);
  }
  if (row.balance_minor.startsWith("-")) problems.push(`the balance is negative: ${row.balance_minor}`);
  if (row.first_inconsistent !== null) {
    problems.push(`transaction ${row.first_inconsistent} has another balance than the sum up to it, or a negative one`);
  }
  if (row.has_other_currency) problems.push("there are transactions in another currency");
  return `user ${row.user_id}: ${problems.join("; ")}`;
}
