import { createHash } from "node:crypto";
import { eq, or, sql } from "drizzle-orm";
import { transactions, users } from "../../../drizzle/users/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { PG_UNIQUE_VIOLATION, postgresError } from "../../../lib/postgres.ts";
import { findUser } from "../accounts/user.ts";
import type { StoreContext } from "../context.ts";

/** Minor units; the largest integer that JSON and JavaScript carry exactly. */
const BALANCE_MINOR_MAX = Number.MAX_SAFE_INTEGER;
/** SQLSTATE of the trigger that refuses a transaction under a voided key. */
const PG_KEY_VOIDED = "LV001";
/** A refusal whose reason is gone when we look for it is tried again; twice in a row is most unlikely. */
const ATTEMPTS_MAX = 5;

export interface AddTransactionInput {
  /** made by the caller; a retry must send the same */
  idempotencyKey: string;
  userId: string;
  type: "CREDIT" | "DEBIT";
  /** minor units of the currency, positive, at most BALANCE_MINOR_MAX */
  amountMinor: number;
  currency: string;
  description: string;
  reference: string;
  /** only of a DEBIT: the idempotency key of the CREDIT that it takes back */
  reverses?: string | undefined;
}

export interface AddTransactionResult {
  transactionId: string;
  /** the balance right after this transaction, in minor units */
  balanceMinor: number;
  /** whether this is the result of an earlier call with the same key */
  replayed: boolean;
}

/**
 * Writes one transaction and changes the balance, together and exactly once per idempotency key. What was written
 * under the key is looked for before anything else is asked, so that a retry succeeds whatever happened since. A DEBIT that
 * takes a credit back is written whatever the player's status, once per credit.
 *
 * @param signal aborted when the caller has given up: nothing is written from then on, since another replica may have
 * refused the same meanwhile
 * @throws AppError `idempotency_key_reused` (the key came with other content), `player_not_found`,
 * `player_not_active`, `currency_mismatch`, `insufficient_balance`, `balance_limit`, `transaction_voided` (the key was given up),
 * `credit_not_found`, `credit_reversed`
 */
export async function addTransaction(
  ctx: StoreContext,
  input: AddTransactionInput,
  signal?: AbortSignal,
): Promise<AddTransactionResult> {
  const requestHash = hashOf(input);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const result = signal?.aborted ? undefined : await write(ctx, input, requestHash);
    if (result === "key taken") continue; // just now, by another call: the next look finds what it wrote
    if (result === "voided") throw transactionVoided();
    if (result !== undefined) return result;
    // Not written. A call with this key may have come first while we waited for the player's row.
    const earlier = await findEarlier(ctx, input.idempotencyKey, requestHash);
    if (earlier !== undefined) return earlier;
    signal?.throwIfAborted();
    await throwRefusal(ctx, input);
  }
  throw new Error(`a transaction was refused ${ATTEMPTS_MAX} times without a reason`);
}

const transactionVoided = () =>
  new AppError("failed_precondition", "transaction_voided", "This idempotency key was given up; use a new one.");

/** SHA-256 of all that makes two requests the same, in a fixed order. */
function hashOf({
  userId,
  type,
  amountMinor,
  currency,
  description,
  reference,
  reverses,
}: AddTransactionInput): string {
  const content = JSON.stringify([
    ...[userId, type, amountMinor, currency, description, reference],
    ...(reverses === undefined ? [] : [reverses]),
  ]);
  return createHash("sha256").update(content).digest("hex");
}

/** @returns what was written under the key, if it says the same */
async function findEarlier(
  ctx: StoreContext,
  idempotencyKey: string,
  requestHash: string,
): Promise<AddTransactionResult | undefined> {
  const [row] = await ctx.db
    .select({
      id: transactions.id,
      balanceMinor: transactions.balanceAfterMinor,
      requestHash: transactions.requestHash,
    })
    .from(transactions)
    .where(eq(transactions.idempotencyKey, idempotencyKey));
  return row && toResult({ ...row, replayed: true }, requestHash);
}

/** @throws AppError `idempotency_key_reused` */
function toResult(
  row: { id: string; balanceMinor: number; requestHash: string; replayed: boolean },
  requestHash: string,
): AddTransactionResult {
  if (row.requestHash !== requestHash) {
    throw new AppError(
      "already_exists",
      "idempotency_key_reused",
      "This idempotency key was used with other content; use a new key for a new transaction.",
    );
  }
  return { transactionId: row.id, balanceMinor: row.balanceMinor, replayed: row.replayed };
}

/**
 * One statement: looks for what was written under the key; if there is nothing, locks the player's row, changes the
 * balance if all conditions hold, and writes the ledger. Id and time are taken while the row is locked, so a player's
 * transactions sort in the order of their balances.
 *
 * @returns what was written under the key, now or earlier; undefined if a condition did not hold; "key taken" when
 * another call with this key committed meanwhile, which undoes the whole statement; "voided" when the key was given up
 */
async function write(
  ctx: StoreContext,
  input: AddTransactionInput,
  requestHash: string,
): Promise<AddTransactionResult | "key taken" | "voided" | undefined> {
  const { idempotencyKey, userId, type, amountMinor, currency, description, reference, reverses } = input;
  const changeMinor = type === "CREDIT" ? amountMinor : -amountMinor;
  try {
    const [row] = await ctx.db.execute<{ id: string; balance: string; hash: string; replayed: boolean }>(sql`
      with earlier as (
        select id, balance_after_minor as balance, request_hash as hash from ${transactions}
        where idempotency_key = ${idempotencyKey}::text
      ), player as (
        update ${users}
        set balance_minor = balance_minor + ${changeMinor}::bigint, updated_at = clock_timestamp()
        where id = ${userId}::uuid and role = 'player' and currency = ${currency}::text
          and ${reverses === undefined ? sql`status = 'active'` : canBeReversed(input, reverses)}
          and balance_minor + ${changeMinor}::bigint between 0 and ${BALANCE_MINOR_MAX}::bigint
          and not exists (select from earlier)
        returning id, balance_minor
      ), written as (
        insert into ${transactions} (id, user_id, type, amount_minor, balance_after_minor, currency, description,
          reference, idempotency_key, request_hash, reverses, created_at)
        select uuidv7(), player.id, ${type}::transaction_type, ${amountMinor}::bigint, player.balance_minor,
          ${currency}::text, ${description}::text, ${reference}::text, ${idempotencyKey}::text, ${requestHash}::text,
          ${reverses ?? null}::text, clock_timestamp()
        from player
        returning id, balance_after_minor, request_hash
      )
      select *, true as replayed from earlier union all select *, false from written`);
    if (row === undefined) return undefined;
    const { id, balance, hash, replayed } = row;
    return toResult({ id, balanceMinor: Number(balance), requestHash: hash, replayed }, requestHash);
  } catch (error) {
    const violation = postgresError(error);
    if (violation?.code === PG_KEY_VOIDED) return "voided";
    if (violation?.code !== PG_UNIQUE_VIOLATION) throw error;
    if (violation.constraint_name === "transactions_idempotency_key") return "key taken";
    // The credit was taken back just now, under another key.
    if (violation.constraint_name === "transactions_reverses") return undefined;
    throw error;
  }
}

/** The player has the credit, and nothing has taken it back. */
const canBeReversed = ({ userId, amountMinor, currency }: AddTransactionInput, reverses: string) => sql`
  exists (select from ${transactions} where idempotency_key = ${reverses}::text and type = 'CREDIT'
    and user_id = ${userId}::uuid and amount_minor = ${amountMinor}::bigint and currency = ${currency}::text)
  and not exists (select from ${transactions} where reverses = ${reverses}::text)`;

/** Throws the reason why the player can't have this transaction; returns if there is none (any more). */
async function throwRefusal(ctx: StoreContext, input: AddTransactionInput): Promise<void> {
  const user = await findUser(ctx.db, input.userId);
  if (user === undefined || user.role !== "player") {
    throw new AppError("not_found", "player_not_found", "There is no player with this id.");
  }
  if (input.reverses !== undefined) await throwUnlessReversible(ctx, input, input.reverses);
  else if (user.status !== "active") {
    throw new AppError("failed_precondition", "player_not_active", `The player is ${user.status}.`);
  }
  if (user.currency !== input.currency) {
    throw new AppError("failed_precondition", "currency_mismatch", `The player's currency is ${user.currency}.`);
  }
  if (input.type === "DEBIT" && user.balanceMinor < input.amountMinor) {
    throw new AppError("failed_precondition", "insufficient_balance", "The balance is less than the amount.");
  }
  if (input.type === "CREDIT" && user.balanceMinor > BALANCE_MINOR_MAX - input.amountMinor) {
    throw new AppError("failed_precondition", "balance_limit", "The balance would become too large to be exact.");
  }
}

/** Throws if there is no such credit of this player, or none any more. */
async function throwUnlessReversible(
  ctx: StoreContext,
  { userId, amountMinor, currency }: AddTransactionInput,
  reverses: string,
): Promise<void> {
  const found = await ctx.db
    .select()
    .from(transactions)
    .where(or(eq(transactions.idempotencyKey, reverses), eq(transactions.reverses, reverses)));
  const credit = found.find(({ idempotencyKey }) => idempotencyKey === reverses);
  const isThis =
    credit?.type === "CREDIT" &&
    credit.userId === userId &&
    credit.amountMinor === amountMinor &&
    credit.currency === currency;
  if (!isThis) {
    throw new AppError("failed_precondition", "credit_not_found", "The player has no such credit of this amount.");
  }
  if (found.some((row) => row.reverses === reverses)) {
    throw new AppError("failed_precondition", "credit_reversed", "This credit was taken back under another key.");
  }
}
