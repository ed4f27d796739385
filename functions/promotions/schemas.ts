import { z } from "@hono/zod-openapi";
import { CODE_PATTERN, canonicalCode } from "../../domain/promotions/promotions/code.ts";
import type { Promotion } from "../../domain/promotions/promotions/promotion.ts";
import { PROMOTION_TYPES } from "../../lib/events.ts";
import { EXAMPLE_CURRENCY, exampleDay } from "../../lib/http/examples.ts";
import {
  amountMinorSchema,
  currencySchema,
  idSchema,
  textSchema,
  timeInputSchema,
  timeSchema,
} from "../../lib/http/schemas.ts";

/** More players than any casino has. */
const MAX_CLAIMS_MAX = 1_000_000_000;

export const promotionTypeSchema = z.enum(PROMOTION_TYPES);
export const promotionStatusSchema = z.enum(["draft", "pending_approval", "active", "paused", "ended"]);
/** Approval is nobody's to ask for by name: `active` becomes it where it is needed. */
const wantedStatusSchema = z.enum(["draft", "active", "paused", "ended"]);

const maxClaimsSchema = z
  .int()
  .min(1, "must be at least 1")
  .max(MAX_CLAIMS_MAX, `must be at most ${MAX_CLAIMS_MAX}`)
  .openapi({ description: "How many claims may be paid.", example: 1000 });

const promotionExample = {
  id: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11",
  title: "Welcome to the house",
  description: "20 EUR for your first evening.",
  terms: "Once per person, from 18 years on.",
  type: "WELCOME_BONUS",
  status: "active",
  amountMinor: 2000,
  currency: EXAMPLE_CURRENCY,
  startsAt: `${exampleDay(0)}T00:00:00.000Z`,
  endsAt: `${exampleDay(30)}T00:00:00.000Z`,
  requiresVerification: false,
  claimWithinHours: null,
  createdAt: `${exampleDay(-4)}T09:00:00.000Z`,
  updatedAt: `${exampleDay(-4)}T09:00:00.000Z`,
};

/** A year. */
const CLAIM_WITHIN_HOURS_MAX = 8_760;

const claimWithinHoursSchema = z
  .int()
  .min(1, "must be at least 1")
  .max(CLAIM_WITHIN_HOURS_MAX, `must be at most ${CLAIM_WITHIN_HOURS_MAX}`)
  .nullable()
  .openapi({
    description:
      "How many hours a player has from the assignment on to claim it; null is until the promotion's end. Fixed once it was active.",
    example: 72,
  });

/** What players see of a promotion. */
export const promotionSchema = z
  .object({
    id: idSchema,
    title: z.string(),
    description: z.string(),
    terms: z.string().nullable().openapi({ description: "The significant conditions, for players to read." }),
    type: promotionTypeSchema,
    status: promotionStatusSchema,
    amountMinor: amountMinorSchema,
    currency: currencySchema,
    startsAt: timeSchema,
    endsAt: timeSchema,
    requiresVerification: z
      .boolean()
      .openapi({ description: "Whether only players claim it whose identity was verified." }),
    claimWithinHours: claimWithinHoursSchema,
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .openapi("Promotion", { example: promotionExample });

export const STAFF_PROMOTION_EXAMPLE = {
  ...promotionExample,
  maxClaims: null,
  budgetMinor: null,
  version: 2,
  submittedBy: null,
  approvedBy: null,
  pendingChange: null,
  code: "WELCOME-20",
};

/** What staff see: all of that, and what is none of the players' business. */
export const staffPromotionSchema = z
  .object({
    ...promotionSchema.shape,
    maxClaims: maxClaimsSchema.nullable(),
    budgetMinor: amountMinorSchema.nullable().openapi({ description: "What claims may use up in all." }),
    version: z
      .int()
      .min(1)
      .openapi({ description: "Grows with every change; an approval names the one that it approves." }),
    submittedBy: idSchema
      .nullable()
      .openapi({ description: "Who asked for the approval that is awaited, or was given last." }),
    approvedBy: idSchema.nullable(),
    pendingChange: z
      .object({ maxClaims: maxClaimsSchema.nullable(), budgetMinor: amountMinorSchema.nullable() })
      .nullable()
      .openapi({ description: "Caps that wait for an approval, while those above hold." }),
    code: z.string().nullable().openapi({ description: "What players enter to have it; shown to none of them." }),
  })
  .openapi("StaffPromotion", { example: STAFF_PROMOTION_EXAMPLE });

const codeSchema = z
  .string()
  .overwrite(canonicalCode)
  .regex(
    CODE_PATTERN,
    "must have 4 to 32 characters, of the letters A to Z, digits and -; no look-alikes in other scripts",
  )
  .nullable()
  .openapi({
    // As it may be sent: case and spaces don't matter.
    pattern: "^\\s*([A-Za-z0-9-]\\s*){4,32}$",
    description:
      "What players enter to have it: 4 to 32 letters, digits and hyphens. Case and spaces don't matter. No other promotion that " +
      "has not ended has the same. Fixed once it was active.",
  });

/** Either, both or none; null is no cap. */
const capSchemas = {
  maxClaims: maxClaimsSchema.nullable().optional(),
  budgetMinor: amountMinorSchema.nullable().optional().openapi({ description: "What claims may use up in all." }),
};
const titleSchema = textSchema(120);
const descriptionSchema = textSchema(2000);
const termsSchema = textSchema(4000).nullable();

export const createPromotionSchema = z
  .strictObject({
    title: titleSchema,
    description: descriptionSchema,
    terms: termsSchema.default(null).openapi({ description: "The significant conditions; fixed once it was active." }),
    type: promotionTypeSchema,
    amountMinor: amountMinorSchema,
    currency: currencySchema,
    startsAt: timeInputSchema,
    endsAt: timeInputSchema,
    ...capSchemas,
    requiresVerification: z
      .boolean()
      .default(false)
      .openapi({
        description:
          "Only players whose identity was verified can be assigned it by staff, and claim it. A welcome bonus is assigned at " +
          "registration all the same, to be claimed once they are. Fixed once it was active.",
      }),
    claimWithinHours: claimWithinHoursSchema.optional(),
    code: codeSchema.optional(),
    generateCode: z.boolean().default(false).openapi({
      description: "Gives it a code of ten characters that nobody can guess, instead of `code`.",
    }),
    status: z.enum(["draft", "active"]).default("draft").openapi({
      description: "A draft is seen by staff only and can't be assigned. Active only if `endsAt` lies ahead.",
    }),
  })
  .refine(({ code, generateCode }) => !generateCode || code == null, {
    path: ["generateCode"],
    error: "must be false or left out where there is a code",
  })
  .openapi("CreatePromotion", {
    // No welcome bonus: there can be only one at a time, and it would go to every player who registers.
    example: {
      title: "A bonus for regulars",
      description: "For the next thirty days.",
      type: "BONUS",
      amountMinor: 2000,
      currency: EXAMPLE_CURRENCY,
      startsAt: `${exampleDay(0)}T00:00:00Z`,
      endsAt: `${exampleDay(30)}T00:00:00Z`,
      status: "active",
    },
  });

export const updatePromotionSchema = z
  .strictObject({
    title: titleSchema.optional(),
    description: descriptionSchema.optional(),
    terms: termsSchema.optional(),
    amountMinor: amountMinorSchema.optional(),
    startsAt: timeInputSchema.optional(),
    endsAt: timeInputSchema.optional(),
    ...capSchemas,
    requiresVerification: z.boolean().optional(),
    claimWithinHours: claimWithinHoursSchema.optional(),
    code: codeSchema.optional(),
    status: wantedStatusSchema.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, "must name at least one field to change")
  .openapi("UpdatePromotion", { example: { status: "active" } });

type ShownToPlayers = Pick<Promotion, keyof z.infer<typeof promotionSchema>>;

/** @returns the promotion as players see it; a new column is not shown by itself */
export function toPromotionBody(promotion: ShownToPlayers): z.infer<typeof promotionSchema> {
  const { id, title, description, terms, type, status, amountMinor, currency } = promotion;
  const { startsAt, endsAt, requiresVerification, claimWithinHours, createdAt, updatedAt } = promotion;
  return {
    id,
    title,
    description,
    terms,
    type,
    status,
    amountMinor,
    currency,
    startsAt: startsAt.toISOString(),
    endsAt: endsAt.toISOString(),
    requiresVerification,
    claimWithinHours,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/** @returns the promotion as staff see it */
export function toStaffPromotionBody(promotion: Promotion): z.infer<typeof staffPromotionSchema> {
  const { maxClaims, budgetMinor, version, submittedBy, approvedBy, pendingChange, code } = promotion;
  return {
    ...toPromotionBody(promotion),
    maxClaims,
    budgetMinor,
    version,
    submittedBy,
    approvedBy,
    pendingChange,
    code,
  };
}

export const approvePromotionSchema = z
  .strictObject({
    version: z.int().min(1).openapi({ description: "The one that you have read." }),
  })
  .openapi("ApprovePromotion", { example: { version: 1 } });

export const rejectPromotionSchema = z
  .strictObject({ reason: textSchema(500).openapi({ description: "Kept for the audit." }) })
  .openapi("RejectPromotion", { example: { reason: "The budget is the whole quarter's." } });
