import { createRateLimiter, type RateLimit } from "../../../lib/rate-limiter.ts";
import type { Redis } from "../../../lib/redis.ts";
import type { Logger } from "../../../lib/telemetry/log.ts";

/** Wrong codes of one player; more than who mistypes needs, and than one client has under way at once. */
export const GUESSES_PER_PLAYER: RateLimit = { points: 30, windowSeconds: 15 * 60 };
/** Of one network address, behind which there may be many people; more than nginx lets one have under way at once. */
export const GUESSES_PER_ADDRESS: RateLimit = { points: 300, windowSeconds: 15 * 60 };

export interface CodeGuesses {
  /**
   * Takes a guess of the player's and one of the address's, before the code is looked up: of many at once no more get through
   * than may.
   *
   * @param guess.address of the client; "" where it is not known
   * @returns to be called when there was such a code: it was no guess then
   * @throws AppError `too_many_attempts`
   */
  begin(guess: { playerId: string; address: string }): Promise<() => Promise<void>>;
}

/** @param addressLimits "off" for load from one machine */
export function createCodeGuesses(redis: Redis, log: Logger, addressLimits: "on" | "off"): CodeGuesses {
  const ofPlayer = createRateLimiter(redis, "code-player", GUESSES_PER_PLAYER);
  const ofAddress = createRateLimiter(redis, "code-address", GUESSES_PER_ADDRESS);
  return {
    async begin({ playerId, address }) {
      const isAddressLimited = addressLimits === "on" && address !== "";
      await ofPlayer.take(playerId);
      if (isAddressLimited) await ofAddress.take(address);
      return async () => {
        try {
          await ofPlayer.giveBack(playerId);
          if (isAddressLimited) await ofAddress.giveBack(address);
        } catch (err) {
          log.debug({ err }, "a code that was right was counted as a guess");
        }
      };
    },
  };
}
