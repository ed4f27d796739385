import { createHash } from "node:crypto";
import { createRateLimiter, type RateLimit } from "../../../lib/rate-limiter.ts";
import type { Redis } from "../../../lib/redis.ts";
import type { Logger } from "../../../lib/telemetry/log.ts";

/** Failed logins that one account takes, from addresses that nobody has logged in to it from; and from each other one. */
export const FAILURES_PER_ACCOUNT: RateLimit = { points: 10, windowSeconds: 15 * 60 };
/** How long an address counts as an account's own after a login, in seconds; then the next login makes it so anew. */
const KNOWN_ADDRESS_SECONDS = 30 * 86_400;

export interface LoginAttempts {
  /**
   * Takes an attempt, before the password is looked at: of many at once no more get through than may.
   *
   * @param attempt.email in its canonical form, whether there is such an account or not
   * @param attempt.address of the client; "" where it is not known
   * @returns to be called when the password was right: the attempt does not count then, and the address becomes the account's own
   * @throws AppError `too_many_attempts`
   */
  begin(attempt: { email: string; address: string }): Promise<() => Promise<void>>;
}

/**
 * Bounds guessing at one account, from however many addresses, without letting a stranger lock its owner out: addresses that the
 * owner has logged in from are counted each for itself, all others together (OWASP, "Device Cookies", with the address for
 * the cookie).
 */
export function createLoginAttempts(redis: Redis, log: Logger): LoginAttempts {
  const limiter = createRateLimiter(redis, "login-account", FAILURES_PER_ACCOUNT);
  const knownKey = (email: string, address: string) =>
    `known-address:${createHash("sha256").update(`${email}\0${address}`).digest("base64url")}`;
  /** Without Redis nobody is known, which is the stricter way. */
  const isKnown = async (email: string, address: string) => {
    if (address === "") return false;
    return redis.exists(knownKey(email, address)).then(
      (count) => count === 1,
      () => false,
    );
  };

  return {
    async begin({ email, address }) {
      const account = email.toLowerCase();
      const isOwn = await isKnown(account, address);
      const key = isOwn ? `${account}\0${address}` : account;
      await limiter.take(key);
      return async () => {
        try {
          await limiter.giveBack(key);
          if (address !== "" && !isOwn) await redis.set(knownKey(account, address), "", "EX", KNOWN_ADDRESS_SECONDS);
        } catch (err) {
          log.debug({ err }, "a login that went well was counted as an attempt");
        }
      };
    },
  };
}
