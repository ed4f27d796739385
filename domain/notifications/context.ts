import type { Collection, Db } from "mongodb";
import type { Notification } from "./notification.ts";

/** What the verbs of Notifications work with. */
export interface NotificationsContext {
  db: Db;
}

/** @returns the collection of all players' notifications */
export const notificationsOf = (ctx: NotificationsContext): Collection<Notification> =>
  ctx.db.collection<Notification>("notifications");
