import type { NotificationsContext } from "../../../../domain/notifications/context.ts";
import type { Waker } from "../../../../workers/notifier/wake-publisher.ts";
import type { Reach } from "./steps.ts";

/** The document database, with the step "store" before each insert. */
export function watchMongo({ db, guard }: NotificationsContext, reach: Reach): NotificationsContext {
  const watch = <Target extends object>(target: Target, replace: (name: string, args: unknown[]) => unknown): Target =>
    new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => replace(String(name), args) ?? value.apply(target, args);
      },
    });
  return {
    guard,
    db: watch(db, (name, args) =>
      name !== "collection"
        ? undefined
        : watch(db.collection(String(args[0])), (method, [documents]) => {
            if (method === "insertMany") reach("store", (documents as unknown[]).length);
          }),
    ),
  };
}

/** The waker, with the steps "wake" and "woken". */
export const watchWaker = (waker: Waker, reach: Reach): Waker => ({
  ...waker,
  async wake(playerIds) {
    reach("wake", playerIds.length);
    await waker.wake(playerIds);
    reach("woken", playerIds.length);
  },
});
