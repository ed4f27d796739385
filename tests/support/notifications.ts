import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from "jose";
import type { NotificationsContext } from "../../domain/notifications/context.ts";
import { storeNotifications } from "../../domain/notifications/store-notifications.ts";
import type { Revocations } from "../../lib/auth/revocations.ts";
import { createTokenVerifier } from "../../lib/auth/tokens.ts";
import { type NotificationEvent, newEvent, type PromotionContent } from "../../lib/events.ts";
import { newId } from "../../lib/ids.ts";
import { connectMongo } from "../../lib/mongo.ts";
import { servers } from "./servers.ts";

const DAY_MS = 86_400_000;

/** A document database of its own for one test file. `stop` it in `afterAll`. */
export async function createNotificationsContext(): Promise<NotificationsContext & { stop: () => Promise<void> }> {
  const url = new URL(servers.mongodbUrl);
  url.pathname = `/test_${newId().replaceAll("-", "")}`;
  const { db, guard, close } = connectMongo(url.href, "test");
  return {
    db,
    guard,
    async stop() {
      await db.dropDatabase();
      await close();
    },
  };
}

/** What Promotions tells a player; `content` replaces single fields. */
export function promoted(playerId: string, content: Partial<PromotionContent> = {}): NotificationEvent {
  const now = new Date();
  return newEvent("/promotions", "PROMOTION", playerId, now, {
    promotionId: newId(),
    title: "A bonus",
    description: "Made by a test.",
    type: "BONUS",
    amountMinor: 2000,
    currency: "EUR",
    startsAt: now.toISOString(),
    endsAt: new Date(now.getTime() + DAY_MS).toISOString(),
    ...content,
  });
}

/** What Users tells a player of their account. */
export function accountNews(playerId: string): NotificationEvent {
  return newEvent("/users", "ACCOUNT", playerId, new Date(), { kind: "new_device", userAgent: "Phone/1.0" });
}

let nextOffset = 0;

/** Gives events the offsets that a partition would. */
export const received = (events: NotificationEvent[]) =>
  events.map((event) => ({ event, offset: String(nextOffset++) }));

/** Stores `count` new notifications of a player. @returns their ids, the oldest first */
export async function notify(
  ctx: NotificationsContext,
  playerId: string,
  count = 1,
  content: Partial<PromotionContent> = {},
): Promise<string[]> {
  const events = Array.from({ length: count }, () => promoted(playerId, content));
  await storeNotifications(ctx, received(events));
  return events.map(({ id }) => id);
}

/**
 * A key of the test's own, tokens signed with it, and what verifies them.
 *
 * @param revocations what is known of sessions that have ended
 */
export async function createTokens(revocations?: Pick<Revocations, "has" | "isHearing">) {
  const audience = { issuer: "test-issuer", audience: "test-audience" };
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
  const verifyToken = createTokenVerifier(
    createLocalJWKSet({ keys: [await exportJWK(publicKey)] }),
    audience,
    revocations,
  );
  const tokenOf = (
    playerId: string,
    { sessionId = newId(), signedSecondsAgo = 0, expiresInSeconds = 600, audience: aud = audience.audience } = {},
  ): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ role: "player", sid: sessionId })
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt" })
      .setSubject(playerId)
      .setIssuer(audience.issuer)
      .setAudience(aud)
      .setIssuedAt(now - signedSecondsAgo)
      .setExpirationTime(now + expiresInSeconds)
      .sign(privateKey);
  };
  return { verifyToken, tokenOf };
}
