import { WAKE_ALL_CHANNEL, wakeChannel } from "../../domain/notifications/channels.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { Redis } from "../../lib/redis.ts";
import type { Logger } from "../../lib/telemetry/log.ts";

export interface Waker {
  /** Wakes the edges that hold sockets of these players. Never fails: what Redis does not take now is sent later. */
  wake(playerIds: readonly string[]): Promise<void>;
  close(): void;
}

/** Players whose lost wake-ups are remembered one by one; beyond that every socket is woken once. */
const LOST_PLAYERS_MAX = 10_000;
const RETRY_BACKOFF = { baseMs: 100, maxMs: 1_000 };

/** @param redis a connection for commands, which fail at once while it is down */
export function createWaker(redis: Redis, log: Logger, options: { lostPlayersMax?: number } = {}): Waker {
  const lostPlayersMax = options.lostPlayersMax ?? LOST_PLAYERS_MAX;
  const lost = new Set<string>();
  let isAllLost = false;
  let failures = 0;
  let retryTimer: NodeJS.Timeout | undefined;

  const hasLost = () => isAllLost || lost.size > 0;

  const remember = (playerId: string) => {
    if (isAllLost) return;
    lost.add(playerId);
    if (lost.size <= lostPlayersMax) return;
    isAllLost = true;
    lost.clear();
  };

  const publish = async (playerIds: readonly string[]) => {
    const pipeline = redis.pipeline();
    for (const playerId of playerIds) pipeline.publish(wakeChannel(playerId), "");
    const outcomes = (await pipeline.exec()) ?? [];
    playerIds.forEach((playerId, index) => {
      if (outcomes[index]?.[0] !== null) remember(playerId);
    });
  };

  const publishAll = async () => {
    // Forgotten before it is sent, so that what is stored meanwhile is remembered anew.
    isAllLost = false;
    await redis.publish(WAKE_ALL_CHANNEL, "").catch(() => {
      isAllLost = true;
    });
  };

  const resend = async () => {
    const playerIds = [...lost];
    lost.clear();
    await (isAllLost ? publishAll() : publish(playerIds));
    retryLater();
  };

  /** After a failure one timer tries again; until then nothing waits for a Redis that does not answer. */
  const retryLater = () => {
    retryTimer = undefined;
    if (!hasLost()) {
      failures = 0;
      return;
    }
    if (failures === 0) log.warn({ players: isAllLost ? "all" : lost.size }, "wake-ups failed; trying again");
    retryTimer = setTimeout(() => void resend(), backoffMs(failures++, RETRY_BACKOFF)).unref();
  };

  return {
    async wake(playerIds) {
      if (hasLost()) playerIds.forEach(remember);
      else await publish(playerIds);
      if (retryTimer === undefined) retryLater();
    },
    close: () => clearTimeout(retryTimer),
  };
}
