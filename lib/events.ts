import { z } from "zod";
import { newId } from "./ids.ts";

/**
 * The events between services: CloudEvents 1.0 in JSON, described for others in docs/asyncapi.yaml. Producers build
 * them with `newEvent`, consumers parse them with `eventSchema`, so both sides hold to one schema.
 */
export const PROMOTION_TYPES = ["WELCOME_BONUS", "VIP_PROMOTION", "BONUS"] as const;
export const PLAYER_STATUSES = ["active", "suspended", "self_excluded"] as const;

export type PromotionType = (typeof PROMOTION_TYPES)[number];
export type PlayerStatus = (typeof PLAYER_STATUSES)[number];

const id = z.guid();
const time = z.iso.datetime();

/** What a player is told about a promotion: `data` of a PROMOTION event and `content` of its notification. */
export const promotionContent = z.object({
  promotionId: id,
  title: z.string(),
  description: z.string(),
  type: z.enum(PROMOTION_TYPES),
  amountMinor: z.int().positive(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  startsAt: time,
  endsAt: time,
});
export type PromotionContent = z.infer<typeof promotionContent>;
/** What a player is told about a promotion's deadline. */
const deadlineContent = promotionContent.extend({ expiresAt: time });

/** What happens to an account that its owner is told of. */
export const ACCOUNT_NEWS = ["new_device", "password_changed"] as const;
/** Characters of what a client says of itself that are kept. */
export const USER_AGENT_LENGTH_MAX = 256;

/** What a player is told about their account: `data` of an ACCOUNT event and `content` of its notification. */
export const accountContent = z.object({
  kind: z.enum(ACCOUNT_NEWS),
  /** Of a new device: as it calls itself, if it does. */
  userAgent: z.string().max(USER_AGENT_LENGTH_MAX).optional(),
});
export type AccountContent = z.infer<typeof accountContent>;

const envelope = {
  specversion: z.literal("1.0"),
  id,
  source: z.string().min(1),
  time,
  /** The player's id, which is the message's key too. */
  subject: id,
};

export const playerRegistered = z.object({
  ...envelope,
  type: z.literal("PLAYER_REGISTERED"),
  data: z.object({ playerId: id }),
});
export const playerStatusChanged = z.object({
  ...envelope,
  type: z.literal("PLAYER_STATUS_CHANGED"),
  data: z.object({ playerId: id, status: z.enum(PLAYER_STATUSES) }),
});
/** Of the identity, by staff; not of an address. */
export const playerVerificationChanged = z.object({
  ...envelope,
  type: z.literal("PLAYER_VERIFICATION_CHANGED"),
  data: z.object({ playerId: id, verified: z.boolean() }),
});
export const promotionAssigned = z.object({
  ...envelope,
  type: z.literal("PROMOTION"),
  data: promotionContent,
});
/** Once, some time before it runs out. */
export const promotionExpiring = z.object({
  ...envelope,
  type: z.literal("PROMOTION_EXPIRING"),
  data: deadlineContent,
});
export const promotionExpired = z.object({
  ...envelope,
  type: z.literal("PROMOTION_EXPIRED"),
  data: deadlineContent,
});

export const promotionRevoked = z.object({
  ...envelope,
  type: z.literal("PROMOTION_REVOKED"),
  data: promotionContent.extend({
    /** as the member of staff gave it */
    reason: z.string(),
  }),
});

export const accountChanged = z.object({
  ...envelope,
  type: z.literal("ACCOUNT"),
  data: accountContent,
});

/** The events of topic `player`. */
export const playerEvent = z.discriminatedUnion("type", [
  playerRegistered,
  playerStatusChanged,
  playerVerificationChanged,
]);
/** The events of topic `notification`. */
export const notificationEvent = z.discriminatedUnion("type", [
  promotionAssigned,
  promotionExpiring,
  promotionExpired,
  promotionRevoked,
  accountChanged,
]);

export type PlayerEvent = z.infer<typeof playerEvent>;
export type NotificationEvent = z.infer<typeof notificationEvent>;
export type Event = PlayerEvent | NotificationEvent;

export const TOPICS = { player: "player", notification: "notification" } as const;

/** @returns the topic that an event of this type goes to */
export function topicOf(type: Event["type"]): (typeof TOPICS)[keyof typeof TOPICS] {
  switch (type) {
    case "PLAYER_REGISTERED":
    case "PLAYER_STATUS_CHANGED":
    case "PLAYER_VERIFICATION_CHANGED":
      return TOPICS.player;
    case "PROMOTION":
    case "PROMOTION_REVOKED":
    case "PROMOTION_EXPIRING":
    case "PROMOTION_EXPIRED":
    case "ACCOUNT":
      return TOPICS.notification;
  }
}

/**
 * @param source the service, such as "/users"
 * @param type the event's type
 * @param playerId subject and key
 * @param time when it happened
 * @param data as the type's schema says
 */
export function newEvent<T extends Event["type"]>(
  source: string,
  type: T,
  playerId: string,
  time: Date,
  data: Extract<Event, { type: T }>["data"],
): Extract<Event, { type: T }> {
  return {
    specversion: "1.0",
    id: newId(),
    source,
    type,
    time: time.toISOString(),
    subject: playerId,
    data,
  } as Extract<Event, { type: T }>;
}
