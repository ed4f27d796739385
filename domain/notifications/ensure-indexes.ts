import { MongoServerError } from "mongodb";
import type { Logger } from "../../lib/telemetry/log.ts";
import { type NotificationsContext, notificationsOf } from "./context.ts";

/** Days after which MongoDB forgets a notification, read or not. */
export const RETENTION_DAYS = 90;
/** MongoDB's error code NotImplemented, with which FerretDB refuses a TTL index. */
const NOT_IMPLEMENTED = 238;

/**
 * Creates the collection's indexes where they are missing. Safe to run at once from several places.
 *
 * @throws what the driver throws
 */
export async function ensureIndexes(ctx: NotificationsContext, log: Logger): Promise<void> {
  const notifications = notificationsOf(ctx);
  await notifications.createIndex({ playerId: 1, seq: 1 });
  await notifications.createIndex({ playerId: 1, readAt: 1, seq: 1 });
  try {
    await notifications.createIndex({ createdAt: 1 }, { expireAfterSeconds: RETENTION_DAYS * 86_400 });
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== NOT_IMPLEMENTED) throw error;
    log.info("this document database has no TTL index; notifications are kept for ever");
  }
}
