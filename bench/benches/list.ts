import { newEvent } from "../../lib/events.ts";
import { type Bench, noteGenerator, requireStatus } from "../harness/bench.ts";
import { type LoadResult, send } from "../harness/load.ts";
import { type Comparison, measurePairs } from "../harness/pairs.ts";
import { assign, createPlayers, createPromotions, type Player } from "../harness/players.ts";
import type { BenchSystem } from "../harness/system.ts";

const CONNECTIONS = 32;
const PLAYERS = 200;
/** What each player has. */
const ENTRIES = 20;
const WARM_UP = 4_000;

const ROUTES: Record<string, (player: Player) => string> = {
  "GET /promotions/players/{id}": ({ id }) => `/promotions/api/v1/promotions/players/${id}`,
  "GET /users/me": () => "/users/api/v1/users/me",
  "GET /notifications": () => "/notifications/api/v1/notifications",
};

async function createPlayersWithEntries(system: BenchSystem): Promise<Player[]> {
  const players = await createPlayers(system, PLAYERS);
  const ids = players.map(({ id }) => id);
  const promotionIds = await createPromotions(system.promotions, ENTRIES);
  for (const promotionId of promotionIds) await assign(system.promotions, ids, [promotionId]);
  const now = new Date();
  const documents = players.flatMap(({ id }) =>
    promotionIds.map((promotionId, seq) => {
      const content = {
        promotionId,
        title: "Bench",
        description: "Made by a bench.",
        type: "VIP_PROMOTION" as const,
        amountMinor: 500,
        currency: "EUR",
        startsAt: now.toISOString(),
        endsAt: now.toISOString(),
      };
      const { id: _id, type } = newEvent("/promotions", "PROMOTION", id, now, content);
      return { _id: _id as never, playerId: id, seq, type, content, createdAt: now, readAt: null };
    }),
  );
  await system.documents.collection("notifications").insertMany(documents);
  return players;
}

export const listBench: Bench = {
  name: "list",
  title: "Lists and a profile through nginx, 32 connections",
  async run({ system, bare, pairs, requests }) {
    const players = await createPlayersWithEntries(system);
    const comparisons: Comparison[] = [];
    const results: LoadResult[] = [];
    for (const [what, pathOf] of Object.entries(ROUTES)) {
      const read = async (url: string, count: number) => {
        const calls = Array.from({ length: count }, (_, n) => players[n % PLAYERS] as Player).map((player) => ({
          method: "GET" as const,
          path: pathOf(player),
          token: player.token,
        }));
        const result = await send(url, CONNECTIONS, calls);
        requireStatus(result, 200, count);
        results.push(result);
        return result.perSecond;
      };
      await read(system.stack.url, WARM_UP);
      await read(bare.url, WARM_UP);
      const measured = await measurePairs(
        pairs,
        () => read(system.stack.url, requests),
        () => read(bare.url, requests),
      );
      const beside = "a token check and one prepared statement, or one find, in a Hono handler; the same nginx";
      comparisons.push({ what: `${what}, per second`, beside, ...measured, goal: { atLeast: 0.7 } });
    }
    return { comparisons, notes: noteGenerator(results) };
  },
};
