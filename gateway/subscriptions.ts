import { setTimeout as delay } from "node:timers/promises";
import { playerOfChannel, WAKE_ALL_CHANNEL, wakeChannel } from "../domain/notifications/channels.ts";
import type { Redis } from "../lib/redis.ts";
import type { Logger } from "../lib/telemetry/log.ts";

export interface Subscriptions {
  /** Resolves when Redis tells of this player's news from now on, or when it is not to be waited for. */
  add(playerId: string): Promise<void>;
  remove(playerId: string): void;
  close(): void;
}

export interface Listener {
  /** The players who have sockets here. */
  players(): string[];
  onWake(playerId: string): void;
  /** Wake-ups may have been lost: for all sockets. */
  onWakeAll(): void;
}

/** Milliseconds that a new socket waits for a Redis that does not answer. */
const SUBSCRIBE_WAIT_MS = 1_000;
/** Channels per command after a reconnect. */
const SUBSCRIBE_CHANNELS_MAX = 1_000;

/**
 * What this edge hears from Redis: one channel per player with sockets here, and wake-ups for all. After
 * every (re)connect it subscribes anew and wakes all sockets, since nobody knows what was said meanwhile.
 *
 * @param redis a connection of its own, for pub/sub
 */
export function createSubscriptions(redis: Redis, listener: Listener, log: Logger): Subscriptions {
  const isReady = () => redis.status === "ready";
  const warn = (err: unknown) => log.warn({ err }, "redis subscription failed");

  const subscribeAll = async () => {
    const channels = [WAKE_ALL_CHANNEL, ...listener.players().map(wakeChannel)];
    for (let from = 0; from < channels.length; from += SUBSCRIBE_CHANNELS_MAX) {
      await redis.subscribe(...channels.slice(from, from + SUBSCRIBE_CHANNELS_MAX));
    }
    listener.onWakeAll();
  };
  const onReady = () => void subscribeAll().catch(warn);

  const onMessage = (channel: string) => {
    if (channel === WAKE_ALL_CHANNEL) return listener.onWakeAll();
    const playerId = playerOfChannel(channel);
    if (playerId !== undefined) listener.onWake(playerId);
  };

  redis.on("ready", onReady);
  redis.on("message", onMessage);
  if (isReady()) onReady();

  return {
    async add(playerId) {
      // Without a connection there is nothing to wait for: `subscribeAll` will include this player.
      if (!isReady()) return;
      let isLate = false;
      const subscribed = redis.subscribe(wakeChannel(playerId)).then(() => {
        if (isLate) listener.onWake(playerId);
      }, warn);
      await Promise.race([subscribed, delay(SUBSCRIBE_WAIT_MS, undefined, { ref: false })]);
      isLate = true;
    },
    remove(playerId) {
      // What is left subscribed during an outage wakes nobody, and goes with the player's next socket.
      if (isReady()) redis.unsubscribe(wakeChannel(playerId)).catch(warn);
    },
    close() {
      redis.off("ready", onReady);
      redis.off("message", onMessage);
    },
  };
}
