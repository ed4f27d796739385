import { z } from "@hono/zod-openapi";
import { USER_STATUSES, type User } from "../../domain/users/accounts/user.ts";
import type { Transaction } from "../../domain/users/ledger/list-transactions.ts";
import {
  emailSchema,
  isOwnAddress,
  newPasswordSchema,
  OWN_ADDRESS_ERROR,
  PASSWORD_LENGTH_MAX,
  PASSWORD_LENGTH_MIN,
} from "../../domain/users/passwords/credentials.ts";
import { EXAMPLE_CURRENCY, exampleDay } from "../../lib/http/examples.ts";
import {
  amountMinorSchema,
  balanceMinorSchema,
  currencySchema,
  idSchema,
  pageOf,
  timeSchema,
} from "../../lib/http/schemas.ts";

export const roleSchema = z.enum(["player", "staff", "admin"]);
export const verifiedSchema = z.boolean().openapi({ description: "Whether the player's identity was verified." });
export const statusSchema = z.enum(USER_STATUSES);

export const chosenPasswordSchema = newPasswordSchema.openapi({
  minLength: PASSWORD_LENGTH_MIN,
  maxLength: PASSWORD_LENGTH_MAX,
  description: "Characters are counted in NFC, the form in which the password is kept.",
});

/** What the link of a mail holds; whether it is one of ours is for the verb to say. */
export const linkTokenSchema = z.string().min(1, "must not be empty").max(128, "must have at most 128 characters");
/** Of no mail. */
export const EXAMPLE_LINK_TOKEN = "AZmxsn9dfG6cQ18PjfjxEQAAAAAAAAAAAAAAAAAAAAA";

/** Refuses a password that is as good as the address beside it. */
export const refusingOwnAddress = <Schema extends z.ZodType<{ email: string; password?: string | undefined }>>(
  schema: Schema,
) =>
  schema.refine(({ email, password }) => password === undefined || !isOwnAddress(password, email), {
    path: ["password"],
    error: OWN_ADDRESS_ERROR,
  });

export const credentials = {
  email: emailSchema.openapi({
    description: "Its domain in Unicode or in ASCII (punycode); answers have the ASCII form, in lower case.",
  }),
  password: chosenPasswordSchema,
};
export const credentialsSchema = refusingOwnAddress(z.strictObject(credentials)).openapi("Credentials", {
  example: { email: "ada@example.com", password: "correct horse battery" },
});

export const userSchema = z
  .object({
    id: idSchema,
    email: z.string(),
    emailVerified: z.boolean().openapi({ description: "Whether its owner has shown that the address is theirs." }),
    role: roleSchema,
    status: statusSchema,
    balanceMinor: balanceMinorSchema,
    currency: currencySchema,
    verified: verifiedSchema,
    createdAt: timeSchema,
  })
  .openapi("User", {
    example: {
      id: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11",
      email: "ada@example.com",
      emailVerified: false,
      role: "player",
      status: "active",
      balanceMinor: 0,
      currency: EXAMPLE_CURRENCY,
      verified: false,
      createdAt: `${exampleDay(-4)}T20:00:00.000Z`,
    },
  });

export const userPage = pageOf(userSchema).openapi("UserPage");

const transactionSchema = z
  .object({
    id: idSchema,
    type: z.enum(["CREDIT", "DEBIT"]),
    amountMinor: amountMinorSchema.openapi({ maximum: Number.MAX_SAFE_INTEGER }),
    balanceAfterMinor: balanceMinorSchema.openapi({ description: "The balance right after it, in minor units." }),
    currency: currencySchema,
    description: z.string(),
    reference: z.string().openapi({ description: "What it is for." }),
    createdAt: timeSchema,
  })
  .openapi("Transaction", {
    example: {
      id: "0199b1b2-9d01-7a52-8c1f-3d2b6e5a4f10",
      type: "CREDIT",
      amountMinor: 2000,
      balanceAfterMinor: 2000,
      currency: EXAMPLE_CURRENCY,
      description: "Welcome to the house",
      reference: "promotion:0199b1b2-8a3c-7b1d-9e2f-1a2b3c4d5e6f",
      createdAt: `${exampleDay(-4)}T20:05:00.000Z`,
    },
  });

export const transactionPage = pageOf(transactionSchema).openapi("TransactionPage");

/** @returns the user as JSON shows them */
export function toUserJson({ createdAt, ...user }: User) {
  return { ...user, createdAt: createdAt.toISOString() };
}

/** @returns the transaction as JSON shows it */
export function toTransactionJson({ createdAt, ...transaction }: Transaction) {
  return { ...transaction, createdAt: createdAt.toISOString() };
}
