import type { CreatePromotionInput } from "../../domain/promotions/promotions/create-promotion.ts";
import { newEvent } from "../../lib/events.ts";
import { newId } from "../../lib/ids.ts";

const DAY_MS = 86_400_000;

/** What staff would write: a bonus that is active now. `overrides` replace single fields. */
export const newPromotion = (overrides: Partial<CreatePromotionInput> = {}): CreatePromotionInput => ({
  title: "A bonus",
  description: "Made by a test.",
  type: "BONUS",
  amountMinor: 2000,
  currency: "EUR",
  startsAt: new Date(Date.now() - DAY_MS),
  endsAt: new Date(Date.now() + DAY_MS),
  status: "active",
  createdBy: newId(),
  ...overrides,
});

export const registered = (playerId = newId(), time = new Date()) =>
  newEvent("/users", "PLAYER_REGISTERED", playerId, time, { playerId });

export const verification = (playerId: string, verified: boolean, time = new Date()) =>
  newEvent("/users", "PLAYER_VERIFICATION_CHANGED", playerId, time, { playerId, verified });
