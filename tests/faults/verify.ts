import { until } from "../support/until.ts";
import type { Client } from "./client.ts";
import type { Observer } from "./observer.ts";
import type { Testimony } from "./traffic.ts";
import type { Witness } from "./witness.ts";

const CHUNK_ROWS = 5_000;
const WITNESS_TIMEOUT_MS = 60_000;

/**
 * Holds what clients were told against what the databases say: an acknowledged write is there, and is the one that was
 * acknowledged.
 *
 * @returns the violations, one line each
 */
export async function checkTestimony(told: Testimony, { users, promotions }: Observer): Promise<string[]> {
  const violations = [...told.contradictions];
  const complain = (what: string) => (row: Record<string, unknown>) => {
    violations.push(`${what}: ${JSON.stringify(row)}`);
  };
  for (const emails of chunks(told.emails)) {
    const lost = await users`
      select email, count(id)::int as accounts from unnest(${emails}::text[]) as told (email)
      left join users using (email) group by email having count(id) <> 1`;
    lost.forEach(complain("registered, but not one account"));
  }
  for (const verified of chunks(told.verified)) {
    const lost = await users`
      select player from unnest(${verified}::uuid[]) as told (player)
      left join users on id = player where verified is not true`;
    lost.forEach(complain("verified, but not so in Users"));
    const untold = await promotions`
      select player from unnest(${verified}::uuid[]) as told (player)
      left join players on id = player where verified is not true`;
    untold.forEach(complain("verified, but not so in Promotions"));
  }
  for (const assigned of chunks(told.assigned)) {
    const lost = await promotions`
      select player, promotion
      from unnest(${assigned.map(({ playerId }) => playerId)}::uuid[], ${assigned.map(({ promotionId }) => promotionId)}::uuid[])
        as told (player, promotion)
      left join assignments on player_id = player and promotion_id = promotion where id is null`;
    lost.forEach(complain("assigned, but not there"));
  }
  const keyOf = ({ playerId, promotionId }: { playerId: string; promotionId: string }) => `${playerId} ${promotionId}`;
  const withdrawn = new Set(told.revoked.map(keyOf));
  for (const revoked of chunks(told.revoked)) {
    const wrong = await promotions`
      select player, promotion, told.reversal, status, reversal_transaction_id
      from unnest(${revoked.map(({ playerId }) => playerId)}::uuid[], ${revoked.map(({ promotionId }) => promotionId)}::uuid[],
        ${revoked.map(({ transactionId }) => transactionId)}::uuid[]) as told (player, promotion, reversal)
      left join assignments on player_id = player and promotion_id = promotion
      where status is distinct from 'revoked' or reversal_transaction_id is distinct from told.reversal`;
    wrong.forEach(complain("withdrawn, but not so in Promotions"));
  }
  for (const claimed of chunks(told.claimed.filter((claim) => !withdrawn.has(keyOf(claim))))) {
    const transactionIds = claimed.map(({ transactionId }) => transactionId);
    const unclaimed = await promotions`
      select player, promotion, told.transaction, status, transaction_id
      from unnest(${claimed.map(({ playerId }) => playerId)}::uuid[], ${claimed.map(({ promotionId }) => promotionId)}::uuid[],
        ${transactionIds}::uuid[]) as told (player, promotion, transaction)
      left join assignments on player_id = player and promotion_id = promotion
      where status is distinct from 'claimed' or transaction_id is distinct from told.transaction`;
    unclaimed.forEach(complain("claimed, but not so in Promotions"));
  }
  for (const claimed of chunks(told.claimed)) {
    const transactionIds = claimed.map(({ transactionId }) => transactionId);
    const unpaid = await users`
      select player, told.transaction, amount, amount_minor
      from unnest(${claimed.map(({ playerId }) => playerId)}::uuid[], ${transactionIds}::uuid[],
        ${claimed.map(({ amountMinor }) => String(amountMinor))}::bigint[]) as told (player, transaction, amount)
      left join transactions on transactions.id = told.transaction and user_id = player and type = 'CREDIT'
      where amount_minor is distinct from amount`;
    unpaid.forEach(complain("claimed, but not so in the ledger"));
  }
  return violations;
}

/** @returns a line for each witness whose socket did not bring every stored notification once and in order */
export async function checkWitnesses(witnesses: readonly Witness[], client: Client): Promise<string[]> {
  const violations: string[] = [];
  for (const witness of witnesses) {
    const stored = await witness.stored(client);
    await until("the witness has seen everything", () => witness.received.length >= stored.length, {
      timeoutMs: WITNESS_TIMEOUT_MS,
    }).catch(() => {});
    if (witness.received.join() === stored.join()) continue;
    const missing = stored.filter((id) => !witness.received.includes(id));
    const twice = witness.received.filter((id, index) => witness.received.indexOf(id) !== index);
    const what = `${witness.received.length} pushed, ${stored.length} stored, missing ${missing.slice(0, 5)}, twice ${twice.slice(0, 5)}`;
    violations.push(`player ${witness.session.id} was not pushed what is stored, in order and once: ${what}`);
  }
  return violations;
}

function chunks<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / CHUNK_ROWS) }, (_, index) =>
    items.slice(index * CHUNK_ROWS, (index + 1) * CHUNK_ROWS),
  );
}
