import type { NotificationEvent } from "../../lib/events.ts";

/** A notification as MongoDB holds it. */
export interface Notification {
  /** The event's id, so that the same event can be stored only once. */
  _id: string;
  playerId: string;
  /**
   * The offset of its Kafka message. A player's messages share a partition, so it is a total order per player; it says
   * nothing across players.
   */
  seq: number;
  type: NotificationEvent["type"];
  content: NotificationEvent["data"];
  /** When the event happened, not when it was stored. */
  createdAt: Date;
  readAt: Date | null;
}
