import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { newId } from "../../lib/ids.ts";
import { type Account, registerPlayer } from "../../tests/support/api.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { silentLog } from "../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../tests/support/promotions.ts";
import { connectCounted } from "../../tests/support/round-trips.ts";
import { servers } from "../../tests/support/servers.ts";
import { assignPromotion } from "./assignments/assign-promotion.ts";
import { claimPromotion } from "./claims/claim-promotion.ts";
import type { ClaimContext } from "./context.ts";
import { findPlayerPromotions } from "./players/find-player-promotions.ts";
import { recordPlayerEvents } from "./players/record-player-events.ts";
import { createPromotion } from "./promotions/create-promotion.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let counted: Awaited<ReturnType<typeof connectCounted>>;
let balance: ReturnType<typeof connectBalanceService>;
let ctx: ClaimContext;
let player: Account;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  counted = await connectCounted(database.url);
  balance = connectBalanceService(servers.usersGrpcTarget, servers.serviceToken);
  ctx = { db: counted.db, currency: "EUR", balance: balance.client, log: silentLog };
  player = await registerPlayer();
  await recordPlayerEvents(ctx, [{ event: registered(player.id) }]);
});
afterAll(async () => {
  balance.close();
  await counted.close();
  await database.drop();
});

/** @returns a new promotion, assigned to the players if there are any */
async function promotion(...playerIds: string[]): Promise<string> {
  const { id } = await createPromotion(ctx, newPromotion());
  if (playerIds.length > 0) await assignPromotion(ctx, { promotionId: id, playerIds, assignedBy: newId() });
  return id;
}
const claim = async (promotionId: string) => claimPromotion(ctx, { playerId: player.id, promotionId });

// Each statement is prepared once per connection, which takes a round trip more.
beforeEach(async () => {
  const id = await promotion(player.id);
  await claim(id);
  await claim(id);
  await findPlayerPromotions(ctx, { playerId: player.id, limit: 20 });
});

test("a claim takes two round trips to the database, one before the credit and one after it", async () => {
  const id = await promotion(player.id);
  expect(await counted.roundTripsOf(() => claim(id))).toBe(2);
});

test("the same claim again takes two: one that finds nothing to begin, and one that reads what there is", async () => {
  const id = await promotion(player.id);
  await claim(id);
  expect(await counted.roundTripsOf(() => claim(id))).toBe(2);
});

test("a page of a player's promotions takes one", async () => {
  expect(await counted.roundTripsOf(() => findPlayerPromotions(ctx, { playerId: player.id, limit: 20 }))).toBe(1);
});

test("an assignment takes seven, however many players it is for: begin, promotion, players, assignments, events, audit, commit", async () => {
  const many = Array.from({ length: 200 }, () => newId());
  await recordPlayerEvents(
    ctx,
    many.map((id) => ({ event: registered(id) })),
  );
  const assign = async (...playerIds: string[]) => {
    const promotionId = await promotion();
    return counted.roundTripsOf(() => assignPromotion(ctx, { promotionId, playerIds, assignedBy: newId() }));
  };
  expect([await assign(player.id), await assign(...many)]).toEqual([7, 7]);
});
