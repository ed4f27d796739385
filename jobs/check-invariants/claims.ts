import { mergeGroups } from "./merge-groups.ts";
import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshots } from "./snapshots.ts";

interface Assignment {
  id: string;
  /** the idempotency key of its credit */
  claim_key: string;
  player_id: string;
  promotion_id: string;
  status: "claiming" | "claimed" | "revoking" | "revoked";
  /** of the debit that took it back */
  reversal_transaction_id: string | null;
  reversal_balance_minor: string | null;
  transaction_id: string | null;
  balance_minor: string | null;
  amount_minor: string;
  currency: string;
}

interface Credit {
  idempotency_key: string;
  id: string;
  user_id: string;
  amount_minor: string;
  balance_after_minor: string;
  currency: string;
  reference: string;
  is_due: boolean;
  /** the first of the debits that take it back, and how many there are */
  reversals: string | null;
  is_reversal_due: boolean | null;
  reversal_id: string | null;
  reversal_user_id: string | null;
  reversal_amount_minor: string | null;
  reversal_balance_minor: string | null;
}

/**
 * A claimed assignment has exactly one credit, which says the same as it; and a promotion's credit has a claimed
 * assignment, once it is older than the bound. One that was claimed and withdrawn has besides exactly one debit that takes its
 * credit back, and no other has one.
 *
 * Promotions' snapshot is the older one: the credit of what is claimed in it must be there, and a credit that is not yet
 * claimed in it is young (snapshots.ts).
 */
export async function checkClaims(
  { users, promotions }: Snapshots,
  bounds: { claimingBoundMs: number },
  tally: Tally,
): Promise<void> {
  const assignments = promotions<Assignment[]>`
    select a.id, coalesce(a.claim_key, a.id::text) as claim_key, a.player_id, a.promotion_id, a.status, a.transaction_id, a.balance_minor, a.reversal_transaction_id, a.reversal_balance_minor,
      p.amount_minor, p.currency
    from assignments a join promotions p on p.id = a.promotion_id
    where a.status in ('claiming', 'claimed', 'revoking') or a.status = 'revoked' and a.transaction_id is not null
    order by coalesce(a.claim_key, a.id::text) collate "C"`.cursor(CURSOR_ROWS);
  const credits = users<Credit[]>`
    select idempotency_key, id, user_id, amount_minor, balance_after_minor, currency, reference,
      created_at < now() - ${bounds.claimingBoundMs}::float8 * interval '1 millisecond' as is_due, reversal.*
    from transactions as credit left join (
      select reverses, count(*) as reversals, min(id::text) as reversal_id, min(user_id::text) as reversal_user_id,
        min(amount_minor) as reversal_amount_minor, min(balance_after_minor) as reversal_balance_minor,
        min(created_at) < now() - ${bounds.claimingBoundMs}::float8 * interval '1 millisecond' as is_reversal_due
      from transactions where reverses is not null group by reverses
    ) as reversal on reversal.reverses = credit.idempotency_key
    where type = 'CREDIT' and reference like 'promotion:%'
    order by idempotency_key collate "C"`.cursor(CURSOR_ROWS);
  const strays = await users<{ id: string; user_id: string; reverses: string }[]>`
    select debit.id, debit.user_id, debit.reverses from transactions as debit
    left join transactions as credit on credit.idempotency_key = debit.reverses and credit.type = 'CREDIT'
      and credit.user_id = debit.user_id and credit.amount_minor = debit.amount_minor and credit.currency = debit.currency
    where debit.reverses is not null and credit.id is null`;
  for (const { id, user_id, reverses } of strays) {
    tally.add(
      () => `transaction ${id} takes credit ${reverses} of player ${user_id} back, which is not there in this amount`,
    );
  }
  const groups = mergeGroups(
    assignments,
    ({ claim_key }) => claim_key,
    credits,
    ({ idempotency_key }) => idempotency_key,
  );
  for await (const { key, left, right } of groups) {
    tally.checked += 1;
    const problem = problemOf(left[0], right);
    if (problem !== undefined) tally.add(() => `assignment ${key}: ${problem}`);
  }
}

function problemOf(assignment: Assignment | undefined, credits: Credit[]): string | undefined {
  const [credit, ...others] = credits;
  if (others.length > 0) return `credited ${credits.length} times, ${credits.map(({ id }) => id).join(", ")}`;
  if (credit === undefined) {
    return assignment === undefined || assignment.status === "claiming" ? undefined : withoutCredit(assignment);
  }
  if (assignment === undefined) {
    return credit.is_due ? `credited (transaction ${credit.id}), but not claimed and not being claimed` : undefined;
  }
  const differences = differencesOf(assignment, credit);
  if (differences.length > 0) return `transaction ${credit.id} has ${differences.join(", ")}`;
  const reversal = reversalProblemOf(assignment, credit);
  if (reversal !== undefined) return reversal;
  if (assignment.status === "claiming" && credit.is_due) {
    return `credited (transaction ${credit.id}), but still being claimed`;
  }
  return undefined;
}

const withoutCredit = ({ player_id, transaction_id }: Assignment) =>
  `claimed by player ${player_id} (transaction ${transaction_id}), but not credited`;

function reversalProblemOf(assignment: Assignment, credit: Credit): string | undefined {
  const { reversals, reversal_id, is_reversal_due } = credit;
  if (BigInt(reversals ?? 0) > 1n) return `taken back ${reversals} times`;
  switch (assignment.status) {
    case "claiming":
    case "claimed":
      // A young one belongs to a withdrawal that began after Promotions' snapshot.
      return !is_reversal_due ? undefined : `taken back (transaction ${reversal_id}), but ${assignment.status}`;
    case "revoking":
      return undefined; // when it is old, it is stuck
    case "revoked": {
      if (reversal_id === null) return `withdrawn from player ${assignment.player_id}, but not taken back`;
      const expected: [what: string, is: string | null, wanted: string | null][] = [
        ["id", reversal_id, assignment.reversal_transaction_id],
        ["player", credit.reversal_user_id, assignment.player_id],
        ["amount", credit.reversal_amount_minor, credit.amount_minor],
        ["balance", credit.reversal_balance_minor, assignment.reversal_balance_minor],
      ];
      const wrong = expected.filter(([, is, wanted]) => is !== wanted);
      if (wrong.length === 0) return undefined;
      return `its reversal has ${wrong.map(([what, is, wanted]) => `${what} ${is}, not ${wanted}`).join(", ")}`;
    }
  }
}

function differencesOf(assignment: Assignment, credit: Credit): string[] {
  const expected: [what: string, is: string, wanted: string | null][] = [
    ["player", credit.user_id, assignment.player_id],
    ["amount", credit.amount_minor, assignment.amount_minor],
    ["currency", credit.currency, assignment.currency],
    ["reference", credit.reference, `promotion:${assignment.promotion_id}`],
  ];
  if (assignment.status !== "claiming") {
    expected.push(
      ["id", credit.id, assignment.transaction_id],
      ["balance", credit.balance_after_minor, assignment.balance_minor],
    );
  }
  return expected.filter(([, is, wanted]) => is !== wanted).map(([what, is, wanted]) => `${what} ${is}, not ${wanted}`);
}
