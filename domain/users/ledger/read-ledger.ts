import type { Sql } from "postgres";
import type { Moment } from "../../../lib/report-time.ts";

/** Rows that are fetched at a time: some hundred kilobytes. */
const BATCH_ROWS = 500;

/** A transaction as the export has it: amounts in minor units as digits, times as RFC 3339 in UTC. */
export interface LedgerRow {
  id: string;
  createdAt: string;
  userId: string;
  type: "CREDIT" | "DEBIT";
  amountMinor: string;
  currency: string;
  balanceAfterMinor: string;
  description: string;
  reference: string;
  idempotencyKey: string;
  /** of a debit that takes a credit back: the credit's idempotency key */
  reverses: string | null;
}

/**
 * All transactions of some time, in the order of the ledger: each player's balances follow from one row to the next. One query,
 * so all of one moment, which is fetched batch by batch: it holds one connection until it has ended or its `return` was called.
 *
 * @param client of a pool of its own
 * @param input.from not before this
 * @param input.to before this
 * @param input.timeZone IANA's name of the zone in which days begin
 */
export async function* readLedger(
  client: Sql,
  { from, to, timeZone }: { from?: Moment | undefined; to?: Moment | undefined; timeZone: string },
): AsyncGenerator<LedgerRow[]> {
  const at = (moment: Moment) =>
    moment instanceof Date
      ? client`${moment.toISOString()}::timestamptz`
      : client`(${moment.day}::timestamp at time zone ${timeZone}::text)`;
  yield* client<LedgerRow[]>`
    select id, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt", user_id as "userId",
      type, amount_minor as "amountMinor", currency, balance_after_minor as "balanceAfterMinor", description, reference,
      idempotency_key as "idempotencyKey", reverses
    from transactions
    where ${from === undefined ? client`true` : client`created_at >= ${at(from)}`}
      and ${to === undefined ? client`true` : client`created_at < ${at(to)}`}
    order by id`.cursor(BATCH_ROWS);
}
