import { z } from "@hono/zod-openapi";
import { storable, visible } from "../text.ts";
import { EXAMPLE_CURRENCY, EXAMPLE_ID, exampleDay } from "./examples.ts";

/** Largest amount in minor units that one promotion or transaction may have: 100 million of a two-digit currency. */
export const AMOUNT_MINOR_MAX = 10_000_000_000;

export const amountMinorSchema = z
  .int("must be a whole number of minor units")
  .min(1, "must be at least 1")
  .max(AMOUNT_MINOR_MAX, `must be at most ${AMOUNT_MINOR_MAX}`)
  .openapi({ description: "Minor units of the currency: 2000 is 20.00 EUR.", example: 2000 });

export const balanceMinorSchema = z
  .int()
  .min(0)
  .openapi({ description: "Minor units of the currency.", example: 2000 });

export const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as EUR")
  .openapi({ description: "ISO 4217 code.", example: EXAMPLE_CURRENCY });

/** An answered id. */
export const idSchema = z.guid().openapi({ format: "uuid", example: EXAMPLE_ID });

/** An id that a client sends, in whatever case. Without an example: Swagger UI would fill it into optional filters. */
export const idInputSchema = z
  .guid("must be a UUID")
  .transform((value) => value.toLowerCase())
  .openapi({ type: "string", format: "uuid" });

/** An id in a path, which Swagger UI must have something to fill in for. */
export const idParam = idInputSchema.openapi({ example: EXAMPLE_ID });

/** An answered time. */
export const timeSchema = z.iso
  .datetime()
  .openapi({ description: "RFC 3339, UTC.", format: "date-time", example: `${exampleDay(0)}T20:00:00.000Z` });

/**
 * A time that a client sends: RFC 3339 with any offset and with T and Z in either case, the years 2000 to 9999; kept as a Date in
 * milliseconds. A leap second is none of ours: no clock here has one. Without an example, as ids are.
 */
export const timeInputSchema = z
  .string()
  .toUpperCase()
  .pipe(
    z.iso.datetime({
      offset: true,
      error: "must be an RFC 3339 time such as 2026-11-24T20:00:00Z, without a leap second",
    }),
  )
  .transform((value) => new Date(value))
  .refine((date) => date.getUTCFullYear() >= 2000 && date.getUTCFullYear() <= 9999, "must be between 2000 and 9999")
  .openapi({ type: "string", format: "date-time", description: "RFC 3339, with any offset." });

const daySchema = z.iso
  .date()
  .refine((day) => day >= "2000", "must be between 2000 and 9999")
  .transform((day) => ({ day }))
  .openapi({ type: "string", format: "date" });

/**
 * A bound of a report in a query: a day, which begins in the time zone of reports, or a time.
 *
 * @returns a `Moment` of lib/report-time.ts
 */
export const momentFilter = (name: string, description: string) =>
  z
    .union([daySchema, timeInputSchema], "must be a day such as 2026-11-24, or an RFC 3339 time")
    .optional()
    .openapi({
      param: { name, in: "query" },
      description: `${description} A day such as 2026-11-24, which begins in the time zone of reports, or an RFC 3339 time.`,
    });

/** Text for people: trimmed, of which something can be seen, and stored as it was sent. */
export const textSchema = (lengthMax: number) =>
  visible(
    storable(z.string().trim().min(1, "must not be empty").max(lengthMax, `must have at most ${lengthMax} characters`)),
  );

/** Decimal digits: `Number` would take 0x10, 1e1, +5 and spaces too. */
export const limitSchema = z
  .string()
  .regex(/^\d+$/, "must be a whole number, in decimal digits")
  .transform(Number)
  .pipe(z.int().min(1, "must be at least 1").max(100, "must be at most 100"))
  .default(20)
  .openapi({ type: "integer", minimum: 1, maximum: 100, default: 20, description: "Size of the page." });

export const cursorSchema = z
  .string()
  .min(1)
  .max(512)
  .optional()
  .openapi({ description: "`nextCursor` of the page before." });

/** For routes that take no query: an unknown parameter is refused there too. */
export const noQuery = z.strictObject({});

/** The path of every route with `{id}`. */
export const idParams = z.strictObject({ id: idParam });

/** The query of every list. */
export const pageQuery = { limit: limitSchema, cursor: cursorSchema };

/** `{data, nextCursor}` around a list's items. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    data: z.array(item),
    nextCursor: z.string().nullable().openapi({ description: "For `cursor` of the next page; null on the last." }),
  });

/** A JSON body; required, so that a missing one is refused too. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});

/** A JSON answer. */
export const jsonResponse = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});
