import { createRateLimiter, type RateLimit, type RateLimiter } from "../../lib/rate-limiter.ts";
import type { Redis } from "../../lib/redis.ts";

/** Of one network address; far above what the people behind one do, and below what guessing or collecting bonuses needs. */
export const LOGINS_PER_ADDRESS: RateLimit = { points: 60, windowSeconds: 60 };
/** Each registration is due a bonus. */
export const REGISTRATIONS_PER_ADDRESS: RateLimit = { points: 30, windowSeconds: 600 };
/** Asked for by who is not logged in: each may be a mail. */
export const MAILS_PER_NETWORK_ADDRESS: RateLimit = { points: 30, windowSeconds: 600 };

export interface AddressLimits {
  logins?: RateLimiter;
  registrations?: RateLimiter;
  mails?: RateLimiter;
}

/** @param limits "off" for load from one machine */
export function createAddressLimits(redis: Redis, limits: "on" | "off"): AddressLimits {
  if (limits === "off") return {};
  return {
    logins: createRateLimiter(redis, "login-address", LOGINS_PER_ADDRESS),
    registrations: createRateLimiter(redis, "registration-address", REGISTRATIONS_PER_ADDRESS),
    mails: createRateLimiter(redis, "mail-network-address", MAILS_PER_NETWORK_ADDRESS),
  };
}
