import { createHmac } from "node:crypto";
import { and, desc, eq, inArray } from "drizzle-orm";
import { knownDevices, users } from "../../../drizzle/users/schema.ts";
import type { Role } from "../../../lib/auth/principal.ts";
import { USER_AGENT_LENGTH_MAX } from "../../../lib/events.ts";
import { tellAccount } from "../accounts/tell-account.ts";
import type { UsersContext } from "../context.ts";
import type { SessionClient } from "./store.ts";

/** Of one account; the one that was first seen longest ago goes. */
const DEVICES_PER_USER_MAX = 20;

/**
 * A device is a browser at a network address. Without its version numbers, since browsers get new ones every month. Where the
 * address is kept as well, whoever has the password and a browser of the same make is told of all the same.
 *
 * @param key the secret of this deployment: without it nobody can try addresses
 * @returns by what a device is known to one account, and can't be recognised at another
 */
export function deviceOf(key: string, userId: string, { userAgent, address }: SessionClient): string {
  const make = userAgent.replace(/[\d._]+/g, "");
  return createHmac("sha256", key)
    .update(JSON.stringify(["device", userId, make, address]))
    .digest("base64url")
    .slice(0, 22);
}

/**
 * Remembers the device of a login, and tells the player that there was a new one; not of the first, which is whoever has just
 * registered. Of two logins at once from one device one tells.
 *
 * @param input.device as `deviceOf` says
 * @throws AppError `database_unavailable`; nothing is remembered then, and nobody told
 */
export async function rememberDevice(
  ctx: Pick<UsersContext, "db">,
  input: {
    user: { id: string; role: Role };
    device: string;
    userAgent: string;
    traceparent: string | undefined;
  },
): Promise<void> {
  const { user, device, userAgent, traceparent } = input;
  await ctx.db.transaction(async (tx) => {
    // Of two first ones the second finds the first.
    await tx.select({ id: users.id }).from(users).where(eq(users.id, user.id)).for("no key update");
    const before = await tx
      .select({ device: knownDevices.device })
      .from(knownDevices)
      .where(eq(knownDevices.userId, user.id))
      .orderBy(desc(knownDevices.firstSeenAt));
    if (before.some((known) => known.device === device)) return;
    const [added] = await tx
      .insert(knownDevices)
      .values({ userId: user.id, device })
      .returning({ firstSeenAt: knownDevices.firstSeenAt });
    if (added === undefined) throw new Error("insert returned no row");
    if (before.length === 0) return;
    const surplus = before.slice(DEVICES_PER_USER_MAX - 1).map((known) => known.device);
    if (surplus.length > 0) {
      await tx.delete(knownDevices).where(and(eq(knownDevices.userId, user.id), inArray(knownDevices.device, surplus)));
    }
    const told = userAgent === "" ? {} : { userAgent: userAgent.slice(0, USER_AGENT_LENGTH_MAX) };
    await tellAccount(tx, user, added.firstSeenAt, { kind: "new_device", ...told }, traceparent);
  });
}
