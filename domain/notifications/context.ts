import type { Collection } from "mongodb";
import type { MongoHandle } from "../../lib/mongo.ts";
import type { Notification } from "./notification.ts";

/** What the verbs of Notifications work with. */
export type NotificationsContext = Pick<MongoHandle, "db" | "guard">;

/** @returns the collection of all players' notifications */
export const notificationsOf = (ctx: NotificationsContext): Collection<Notification> =>
  ctx.db.collection<Notification>("notifications");
