import { z } from "zod";
import type { StoreContext } from "../../../domain/users/context.ts";
import { addTransaction } from "../../../domain/users/ledger/add-transaction.ts";
import { AppError } from "../../../lib/errors.ts";
import type { GrpcContext } from "../../../lib/grpc/server.ts";
import { uuid } from "../../../lib/ids.ts";
import { storable, visible } from "../../../lib/text.ts";
import {
  type AddTransactionRequest,
  type BalanceServiceImplementation,
  TransactionType,
} from "../../../proto/generated/casino/balance/v1/balance.ts";

const text = (lengthMax: number) => storable(z.string().max(lengthMax, `must have at most ${lengthMax} characters`));

const requestSchema = z.object({
  idempotencyKey: visible(text(128).min(1, "is required")),
  userId: uuid,
  type: z
    .literal(
      [TransactionType.TRANSACTION_TYPE_CREDIT, TransactionType.TRANSACTION_TYPE_DEBIT],
      "must be CREDIT or DEBIT",
    )
    .transform((type) => (type === TransactionType.TRANSACTION_TYPE_CREDIT ? ("CREDIT" as const) : ("DEBIT" as const))),
  amountMinor: z.int("must be an exact integer").min(1, "must be at least 1"),
  currency: z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 code"),
  description: text(200),
  reference: text(200),
});

/** BalanceService of casino.balance.v1: validates, calls the verb; the server maps its errors. */
export function createBalanceService(ctx: StoreContext): BalanceServiceImplementation<GrpcContext> {
  return {
    addTransaction: async (request, { signal, logFields }) => {
      const input = parse(request);
      const { userId, type, reference, idempotencyKey } = input;
      Object.assign(logFields, { userId, type, reference, idempotencyKey });
      const result = await addTransaction(ctx, input, signal);
      Object.assign(logFields, { transactionId: result.transactionId, replayed: result.replayed });
      return result;
    },
  };
}

function parse(request: AddTransactionRequest) {
  const parsed = requestSchema.safeParse(request);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
  throw new AppError("invalid_argument", "validation_failed", `${problems.join("; ")}.`);
}
