import { z } from "zod";
import type { StoreContext } from "../../../domain/users/context.ts";
import { addTransaction } from "../../../domain/users/ledger/add-transaction.ts";
import { voidTransaction } from "../../../domain/users/ledger/void-transaction.ts";
import { AppError } from "../../../lib/errors.ts";
import type { GrpcContext } from "../../../lib/grpc/server.ts";
import { uuid } from "../../../lib/ids.ts";
import { storable, visible } from "../../../lib/text.ts";
import {
  type BalanceServiceImplementation,
  TransactionType,
} from "../../../proto/generated/casino/balance/v1/balance.ts";

const text = (lengthMax: number) => storable(z.string().max(lengthMax, `must have at most ${lengthMax} characters`));

const idempotencyKey = visible(text(128).min(1, "is required"));

const voidRequestSchema = z.object({ idempotencyKey });

const requestSchema = z
  .object({
    idempotencyKey,
    userId: uuid,
    type: z
      .literal(
        [TransactionType.TRANSACTION_TYPE_CREDIT, TransactionType.TRANSACTION_TYPE_DEBIT],
        "must be CREDIT or DEBIT",
      )
      .transform((type) =>
        type === TransactionType.TRANSACTION_TYPE_CREDIT ? ("CREDIT" as const) : ("DEBIT" as const),
      ),
    amountMinor: z.int("must be an exact integer").min(1, "must be at least 1"),
    currency: z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 code"),
    description: text(200),
    reference: text(200),
    /** proto3 has no absent text. */
    reverses: visible(text(128)).transform((key) => (key === "" ? undefined : key)),
  })
  .refine(({ type, reverses }) => reverses === undefined || type === "DEBIT", {
    path: ["reverses"],
    message: "is only for a DEBIT",
  });

/** BalanceService of casino.balance.v1: validates, calls the verb; the server maps its errors. */
export function createBalanceService(ctx: StoreContext): BalanceServiceImplementation<GrpcContext> {
  return {
    addTransaction: async (request, { signal, logFields }) => {
      const input = parse(requestSchema, request);
      const { userId, type, reference, idempotencyKey } = input;
      Object.assign(logFields, { userId, type, reference, idempotencyKey });
      const result = await addTransaction(ctx, input, signal);
      Object.assign(logFields, { transactionId: result.transactionId, replayed: result.replayed });
      return result;
    },
    voidTransaction: async (request, { logFields }) => {
      const input = parse(voidRequestSchema, request);
      const written = await voidTransaction(ctx, input);
      Object.assign(logFields, { ...input, transactionId: written?.transactionId });
      return { written };
    },
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, request: unknown): z.output<Schema> {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
  throw new AppError("invalid_argument", "validation_failed", `${problems.join("; ")}.`);
}
