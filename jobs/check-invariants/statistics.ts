import { mergeGroups } from "./merge-groups.ts";
import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshots } from "./snapshots.ts";

const COUNTS = ["assigned", "open", "claimed", "expired", "revoked", "reversed"] as const;

/** What is kept of a promotion, and what its assignments say. */
type Row = Record<`${"kept" | "is"}_${(typeof COUNTS)[number]}`, string> & {
  id: string;
  amount_minor: string | null;
  /** quarters of an hour whose counts are not those of the assignments */
  wrong_quarters: string | null;
};

interface Claim {
  key: string;
  promotion_id: string;
  is_reversed: boolean;
}

interface Transaction {
  /** of the credit, also of a debit that takes it back */
  key: string;
  type: "CREDIT" | "DEBIT";
  amount_minor: string;
}

/**
 * The figures of each promotion are those of its assignments, in all and by quarters of an hour, and its money is that of the
 * ledger to the cent: the credits of what was claimed, less the debits that took some back.
 *
 * Promotions' snapshot is the older one, so the transactions of what is paid or taken back in it must be in Users'
 * (snapshots.ts); those that are there already of what is under way in it are left aside.
 */
export async function checkStatistics({ users, promotions }: Snapshots, tally: Tally): Promise<void> {
  const ledger = await readLedger({ users, promotions });
  const rows = promotions<Row[]>`
    with kept as (
      select promotion_id, sum(assigned) as assigned, sum(open) as open, sum(claimed) as claimed, sum(expired) as expired,
        sum(revoked) as revoked, sum(reversed) as reversed
      from (select promotion_id, assigned, open, claimed, expired, revoked, reversed from promotion_statistics
        union all select promotion_id, assigned, open, claimed, expired, revoked, reversed from assignment_changes) as parts
      group by 1
    ), counted as (
      select promotion_id, count(*) as assigned, count(*) filter (where status::text in ('assigned', 'claiming')) as open,
        count(*) filter (where status::text in ('claimed', 'revoking')) as claimed,
        count(*) filter (where status::text = 'expired') as expired,
        count(*) filter (where status::text = 'revoked' and transaction_id is null) as revoked,
        count(*) filter (where status::text = 'revoked' and transaction_id is not null) as reversed
      from assignments group by 1
    ), kept_quarters as (
      select promotion_id, quarter, sum(assigned) as assigned, sum(claimed) as claimed
      from (select promotion_id, quarter, assigned, claimed from promotion_quarters
        union all select promotion_id, quarter, assigned, claimed from assignment_changes) as parts
      group by 1, 2 having (sum(assigned), sum(claimed)) <> (0, 0)
    ), counted_quarters as (
      select promotion_id, date_bin('15 minutes', at, 'epoch') as quarter, sum(assigned) as assigned, sum(claimed) as claimed
      from (select promotion_id, assigned_at as at, 1 as assigned, 0 as claimed from assignments
        union all select promotion_id, claimed_at, 0, 1 from assignments where status::text in ('claimed', 'revoking')) as events
      group by 1, 2
    ), wrong_quarters as (
      select promotion_id, count(*) as quarters
      from kept_quarters full join counted_quarters using (promotion_id, quarter)
      where (kept_quarters.assigned, kept_quarters.claimed) is distinct from (counted_quarters.assigned, counted_quarters.claimed)
      group by 1
    )
    select coalesce(p.id, kept.promotion_id, counted.promotion_id) as id, p.amount_minor,
      coalesce(kept.assigned, 0) as kept_assigned, coalesce(counted.assigned, 0) as is_assigned,
      coalesce(kept.open, 0) as kept_open, coalesce(counted.open, 0) as is_open,
      coalesce(kept.claimed, 0) as kept_claimed, coalesce(counted.claimed, 0) as is_claimed,
      coalesce(kept.expired, 0) as kept_expired, coalesce(counted.expired, 0) as is_expired,
      coalesce(kept.revoked, 0) as kept_revoked, coalesce(counted.revoked, 0) as is_revoked,
      coalesce(kept.reversed, 0) as kept_reversed, coalesce(counted.reversed, 0) as is_reversed,
      wrong_quarters.quarters as wrong_quarters
    from promotions p
    full join kept on kept.promotion_id = p.id
    full join counted on counted.promotion_id = coalesce(p.id, kept.promotion_id)
    left join wrong_quarters on wrong_quarters.promotion_id = coalesce(p.id, kept.promotion_id, counted.promotion_id)
    order by 1`.cursor(CURSOR_ROWS);
  for await (const batch of rows) {
    for (const row of batch) {
      tally.checked += 1;
      const problems = problemsOf(row, ledger.get(row.id) ?? NOTHING);
      if (problems.length > 0) tally.add(() => `promotion ${row.id}: ${problems.join("; ")}`);
    }
  }
}

interface Money {
  creditedMinor: bigint;
  takenBackMinor: bigint;
}
const NOTHING: Money = { creditedMinor: 0n, takenBackMinor: 0n };

/** @returns what the ledger has of the claims of each promotion that are paid in Promotions' snapshot, by its id */
async function readLedger({ users, promotions }: Snapshots): Promise<Map<string, Money>> {
  const claims = promotions<Claim[]>`
    select coalesce(claim_key, id::text) as key, promotion_id, status::text = 'revoked' as is_reversed
    from assignments where transaction_id is not null order by coalesce(claim_key, id::text) collate "C"`.cursor(
    CURSOR_ROWS,
  );
  const transactions = users<Transaction[]>`
    select coalesce(reverses, idempotency_key) as key, type, amount_minor from transactions
    where reverses is not null or type = 'CREDIT' order by coalesce(reverses, idempotency_key) collate "C"`.cursor(
    CURSOR_ROWS,
  );
  const ledger = new Map<string, Money>();
  const groups = mergeGroups(
    claims,
    ({ key }) => key,
    transactions,
    ({ key }) => key,
  );
  for await (const { left, right } of groups) {
    const [claim] = left;
    if (claim === undefined) continue;
    const money = ledger.get(claim.promotion_id) ?? { ...NOTHING };
    for (const { type, amount_minor } of right) {
      if (type === "CREDIT") money.creditedMinor += BigInt(amount_minor);
      else if (claim.is_reversed) money.takenBackMinor += BigInt(amount_minor);
    }
    ledger.set(claim.promotion_id, money);
  }
  return ledger;
}

function problemsOf(row: Row, { creditedMinor, takenBackMinor }: Money): string[] {
  const problems = COUNTS.filter((count) => row[`kept_${count}`] !== row[`is_${count}`]).map(
    (count) => `its figures have ${row[`kept_${count}`]} ${count}, its assignments ${row[`is_${count}`]}`,
  );
  if (row.wrong_quarters !== null) problems.push(`${row.wrong_quarters} quarters of an hour are counted wrong`);
  const amountMinor = BigInt(row.amount_minor ?? 0);
  const paidMinor = BigInt(row.kept_claimed) * amountMinor;
  const reversedMinor = BigInt(row.kept_reversed) * amountMinor;
  if (paidMinor !== creditedMinor - takenBackMinor) {
    problems.push(`its figures say that ${paidMinor} was paid, the ledger ${creditedMinor - takenBackMinor}`);
  }
  if (reversedMinor !== takenBackMinor) {
    problems.push(`its figures say that ${reversedMinor} was taken back, the ledger ${takenBackMinor}`);
  }
  return problems;
}
