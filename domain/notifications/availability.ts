import { unavailable } from "../../lib/errors.ts";
import { isMongoUnavailable } from "../../lib/mongo.ts";
import type { NotificationsContext } from "./context.ts";

/**
 * Asks the document database, unless it has stopped answering.
 *
 * @returns what `query` resolves to
 * @throws AppError `database_unavailable` where the database can't do it now but may later; other errors as they are
 */
export async function asking<T>(ctx: NotificationsContext, query: () => Promise<T>): Promise<T> {
  try {
    return await ctx.guard(query);
  } catch (error) {
    if (!isMongoUnavailable(error)) throw error;
    throw unavailable("database_unavailable", "The notifications' database", error);
  }
}
