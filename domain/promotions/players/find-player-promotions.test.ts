import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { registered } from "../../../tests/support/promotions.ts";
import type { PromotionsContext } from "../context.ts";
import { findPlayerPromotions } from "./find-player-promotions.ts";
import { recordPlayerEvents } from "./record-player-events.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let ctx: PromotionsContext;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  ctx = { db: database.db, currency: "EUR", log: silentLog };
});
afterAll(() => database.drop());

const find = (playerId: string, isOwn: boolean) =>
  findPlayerPromotions(ctx, { playerId, readBy: isOwn ? undefined : { actorId: newId() }, limit: 10 });
const EMPTY = { data: [], nextCursor: null };

test("a player who does not exist is not found by staff", async () => {
  await expect(find(newId(), false)).rejects.toMatchObject({ code: "player_not_found", kind: "not_found" });
});

test("a player without promotions has an empty list", async () => {
  const event = registered();
  await recordPlayerEvents(ctx, [{ event }]);
  expect(await find(event.subject, false)).toEqual(EMPTY);
});

test("who has registered a moment ago has an empty list of their own, before we hear of them", async () => {
  expect(await find(newId(), true)).toEqual(EMPTY);
});
