import type { promotions } from "../../../drizzle/promotions/schema.ts";
import { AppError } from "../../../lib/errors.ts";
import { newEvent, type PromotionContent } from "../../../lib/events.ts";

export type Promotion = typeof promotions.$inferSelect;
export type { PromotionStatus } from "../../../drizzle/promotions/schema.ts";

/** `source` of the events of this service. */
export const EVENT_SOURCE = "/promotions";

/** What the audit tells of a promotion: what staff chose, and not what follows from it. */
export function auditedFields(promotion: Promotion) {
  const {
    id: _,
    createdBy: _by,
    createdAt: _at,
    updatedAt: _updated,
    editedBy: _editors,
    version: _version,
    ...fields
  } = promotion;
  return fields;
}

/** Of those, the ones that are no free text. */
export const LASTING_FIELDS = [
  "type",
  "status",
  "amountMinor",
  "currency",
  "startsAt",
  "endsAt",
  "maxClaims",
  "budgetMinor",
  "requiresVerification",
  "claimWithinHours",
  "code",
  "submittedBy",
  "approvedBy",
  "approvedVersion",
  "pendingChange",
];

/** The constraint that keeps the windows of welcome bonuses apart. */
export const WELCOME_BONUS_CONSTRAINT = "one_welcome_bonus_at_a_time";

/** The index that keeps the codes of promotions that have not ended apart. */
export const CODE_CONSTRAINT = "one_promotion_per_code";

export const promotionNotFound = () =>
  new AppError("not_found", "promotion_not_found", "There is no promotion with this id.");

export const playerNotFound = () =>
  new AppError("not_found", "player_not_found", "There is no player with this id, or we have not heard of them yet.");

export const promotionNotActive = (detail: string) =>
  new AppError("failed_precondition", "promotion_not_active", detail);

export const promotionRevoked = () =>
  new AppError("failed_precondition", "promotion_revoked", "This promotion was withdrawn from you.");

export const assignmentExpired = () =>
  new AppError("failed_precondition", "assignment_expired", "The time to claim this promotion is over.");

export const promotionExhausted = () =>
  new AppError("failed_precondition", "promotion_exhausted", "All that this promotion had to give is claimed.");

export const playerNotVerified = () =>
  new AppError(
    "permission_denied",
    "player_not_verified",
    "This promotion is for players whose identity was verified; contact the casino.",
  );

/** @returns why a promotion can't be assigned or claimed at `now`, or undefined if it can */
export function findInactivity(promotion: Promotion, now: Date): AppError | undefined {
  if (promotion.status !== "active") return promotionNotActive(`The promotion is ${promotion.status}, not active.`);
  if (now < promotion.startsAt) return promotionNotActive(`It starts at ${promotion.startsAt.toISOString()}.`);
  if (now >= promotion.endsAt) return promotionNotActive(`It ended at ${promotion.endsAt.toISOString()}.`);
  return undefined;
}

/** @returns what a player is told about a promotion */
export function toContent(promotion: Promotion): PromotionContent {
  return {
    promotionId: promotion.id,
    title: promotion.title,
    description: promotion.description,
    type: promotion.type,
    amountMinor: promotion.amountMinor,
    currency: promotion.currency,
    startsAt: promotion.startsAt.toISOString(),
    endsAt: promotion.endsAt.toISOString(),
  };
}

/** @returns the event that tells a player, at `at`, that an assignment soon runs out, or has run out */
export function expiryEvent(
  type: "PROMOTION_EXPIRING" | "PROMOTION_EXPIRED",
  promotion: Promotion,
  { playerId, at, expiresAt }: { playerId: string; at: Date; expiresAt: Date },
) {
  return newEvent(EVENT_SOURCE, type, playerId, at, { ...toContent(promotion), expiresAt: expiresAt.toISOString() });
}

/** @returns the event that tells a player of an assignment made at `assignedAt` */
export function assignedEvent(promotion: Promotion, playerId: string, assignedAt: Date) {
  return newEvent(EVENT_SOURCE, "PROMOTION", playerId, assignedAt, toContent(promotion));
}

/** @returns the event that tells a player that it was withdrawn from them at `revokedAt` */
export function revokedEvent(promotion: Promotion, playerId: string, revokedAt: Date, reason: string) {
  return newEvent(EVENT_SOURCE, "PROMOTION_REVOKED", playerId, revokedAt, { ...toContent(promotion), reason });
}
