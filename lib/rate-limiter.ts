import { createHash } from "node:crypto";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { AppError } from "./errors.ts";
import type { Redis } from "./redis.ts";

export interface RateLimit {
  /** how many within the window */
  points: number;
  windowSeconds: number;
}

export interface RateLimiter {
  /**
   * Takes one from what is left for this key. Several at once can't take more than there is.
   *
   * @throws AppError `too_many_attempts`, with the seconds until the window ends
   */
  take(key: string): Promise<void>;
  /** Gives one back: what was taken did no harm. */
  giveBack(key: string): Promise<void>;
}

/**
 * Counts in Redis, for all replicas together. While Redis is away each replica counts for itself, in memory: more than was
 * meant gets through then, and never without a bound.
 *
 * @param name of what is limited; keys of different limiters don't meet
 */
export function createRateLimiter(redis: Redis, name: string, { points, windowSeconds }: RateLimit): RateLimiter {
  const options = { points, duration: windowSeconds };
  const limiter = new RateLimiterRedis({
    ...options,
    storeClient: redis,
    keyPrefix: `limit:${name}`,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory(options),
  });
  // Keys are addresses of people and of networks: Redis has no need to know them.
  const hashed = (key: string) => createHash("sha256").update(key).digest("base64url");
  return {
    async take(key) {
      try {
        await limiter.consume(hashed(key));
      } catch (rejection) {
        if (!(rejection instanceof RateLimiterRes)) throw rejection;
        throw new AppError("rate_limited", "too_many_attempts", "Too many attempts; try again later.", {
          retryAfterSeconds: Math.ceil(rejection.msBeforeNext / 1_000),
          logFields: { limit: name },
        });
      }
    },
    async giveBack(key) {
      await limiter.reward(hashed(key));
    },
  };
}
