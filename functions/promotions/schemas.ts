import { z } from "@hono/zod-openapi";
import type { Promotion } from "../../domain/promotions/promotion.ts";
import { PROMOTION_TYPES } from "../../lib/events.ts";
import {
  amountMinorSchema,
  currencySchema,
  idSchema,
  textSchema,
  timeInputSchema,
  timeSchema,
} from "../../lib/http/schemas.ts";

export const promotionTypeSchema = z.enum(PROMOTION_TYPES);
export const promotionStatusSchema = z.enum(["draft", "active", "paused", "ended"]);

export const promotionSchema = z
  .object({
    id: idSchema,
    title: z.string(),
    description: z.string(),
    type: promotionTypeSchema,
    status: promotionStatusSchema,
    amountMinor: amountMinorSchema,
    currency: currencySchema,
    startsAt: timeSchema,
    endsAt: timeSchema,
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .openapi("Promotion", {
    example: {
      id: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11",
      title: "Welcome to the house",
      description: "20 EUR for your first evening.",
      type: "WELCOME_BONUS",
      status: "active",
      amountMinor: 2000,
      currency: "EUR",
      startsAt: "2026-11-24T00:00:00.000Z",
      endsAt: "2026-12-24T00:00:00.000Z",
      createdAt: "2026-11-20T09:00:00.000Z",
      updatedAt: "2026-11-20T09:00:00.000Z",
    },
  });

const titleSchema = textSchema(120).openapi({ example: "Welcome to the house" });
const descriptionSchema = textSchema(2000).openapi({ example: "20 EUR for your first evening." });

export const createPromotionSchema = z
  .strictObject({
    title: titleSchema,
    description: descriptionSchema,
    type: promotionTypeSchema,
    amountMinor: amountMinorSchema,
    currency: currencySchema,
    startsAt: timeInputSchema,
    endsAt: timeInputSchema.openapi({ example: "2026-12-24T20:00:00Z" }),
    status: z.enum(["draft", "active"]).default("draft").openapi({
      description: "A draft is seen by staff only and can't be assigned. Active only if `endsAt` lies ahead.",
    }),
  })
  .openapi("CreatePromotion");

export const updatePromotionSchema = z
  .strictObject({
    title: titleSchema.optional(),
    description: descriptionSchema.optional(),
    amountMinor: amountMinorSchema.optional(),
    startsAt: timeInputSchema.optional(),
    endsAt: timeInputSchema.optional(),
    status: promotionStatusSchema.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, "must name at least one field to change")
  .openapi("UpdatePromotion", { example: { status: "active" } });

/** @returns the promotion as the API shows it */
export function toPromotionBody(promotion: Promotion): z.infer<typeof promotionSchema> {
  const { createdBy: _createdBy, startsAt, endsAt, createdAt, updatedAt, ...rest } = promotion;
  return {
    ...rest,
    startsAt: startsAt.toISOString(),
    endsAt: endsAt.toISOString(),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
