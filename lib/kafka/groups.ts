import { TOPICS } from "../events.ts";

export interface ConsumerGroup {
  groupId: string;
  topic: string;
}

/** Who consumes what. */
export const CONSUMER_GROUPS = {
  welcomeBonus: { groupId: "welcome-bonus", topic: TOPICS.player },
  notifier: { groupId: "notifier", topic: TOPICS.notification },
} as const satisfies Record<string, ConsumerGroup>;
