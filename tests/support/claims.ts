import { assignPromotion } from "../../domain/promotions/assignments/assign-promotion.ts";
import type { ClaimContext } from "../../domain/promotions/context.ts";
import { recordPlayerEvents } from "../../domain/promotions/players/record-player-events.ts";
import { createPromotion } from "../../domain/promotions/promotions/create-promotion.ts";
import { newId } from "../../lib/ids.ts";
import { insertPlayers, startBalanceService } from "./balance-service.ts";
import { createTestDatabase } from "./database.ts";
import { silentLog } from "./kafka.ts";
import { newPromotion, registered } from "./promotions.ts";

export type ClaimSystem = Awaited<ReturnType<typeof createClaimSystem>>;

/** What claims need, of the test's own: both databases, and Users' gRPC side in its process. */
export async function createClaimSystem() {
  const [users, promotions] = await Promise.all([createTestDatabase("users"), createTestDatabase("promotions")]);
  const balance = await startBalanceService(users.db);
  const ctx: ClaimContext = { db: promotions.db, currency: "EUR", log: silentLog, balance: balance.client };
  return {
    ctx,
    users,
    promotions,
    async drop() {
      balance.stop();
      await Promise.all([users.drop(), promotions.drop()]);
    },
  };
}

/** @returns a new promotion, and new players who all have it */
export async function offerPromotion(
  { ctx, users }: ClaimSystem,
  players: number,
  overrides: Parameters<typeof newPromotion>[0] = {},
) {
  const playerIds = await insertPlayers(users.db, players);
  await recordPlayerEvents(
    ctx,
    playerIds.map((id) => ({ event: registered(id) })),
  );
  const promotion = await createPromotion(ctx, newPromotion(overrides));
  await assignPromotion(ctx, { promotionId: promotion.id, playerIds, assignedBy: newId() });
  return { promotion, playerIds };
}
