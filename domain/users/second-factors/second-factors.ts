import type { Restriction, Role } from "../../../lib/auth/principal.ts";
import { AppError } from "../../../lib/errors.ts";
import { createRateLimiter, type RateLimit } from "../../../lib/rate-limiter.ts";
import type { Redis } from "../../../lib/redis.ts";
import type { Logger } from "../../../lib/telemetry/log.ts";

/** What somebody showed besides the password, when they opened a session. */
export type SecondFactorUsed = "totp" | "recovery_code";

/**
 * Wrong codes that one account takes at logins, whoever sends them: they need the password first, so no stranger locks an owner out.
 * As many are taken of each session that sends them with its token. Three
 * of a million codes are right at a time, so guessing for a year finds one with a probability of two in a hundred.
 */
export const WRONG_CODES_PER_ACCOUNT = {
  "second-factor": { points: 5, windowSeconds: 15 * 60 },
  "second-factor-day": { points: 20, windowSeconds: 86_400 },
} satisfies Record<string, RateLimit>;

/** The second factors of a deployment. */
export interface SecondFactors {
  /** Secret under which those of the accounts are sealed; the same in all replicas. */
  key: string;
  /** What authenticator apps show beside the account. */
  issuer: string;
  /** Whether the role needs one. */
  isRequiredOf(role: Role): boolean;
  /**
   * Takes an attempt, before the code is looked at: of many at once no more get through than may.
   *
   * @param who the account; and the session, if it is not a login
   * @returns to be called when the code was right: the attempt does not count then
   * @throws AppError `too_many_attempts`
   */
  beginAttempt(who: { userId: string; sessionId?: string }): Promise<() => Promise<void>>;
}

/** @param options.ofStaff "on" if staff and admins need a second factor */
export function createSecondFactors(
  redis: Redis,
  log: Logger,
  { key, issuer, ofStaff }: { key: string; issuer: string; ofStaff: "on" | "off" },
): SecondFactors {
  const limiters = Object.entries(WRONG_CODES_PER_ACCOUNT).map(([name, limit]) =>
    createRateLimiter(redis, name, limit),
  );
  return {
    key,
    issuer,
    isRequiredOf: (role) => ofStaff === "on" && role !== "player",
    async beginAttempt({ userId, sessionId }) {
      const key = sessionId === undefined ? userId : `${userId} ${sessionId}`;
      for (const limiter of limiters) {
        await limiter.take(userId);
        if (key === userId) continue;
        // It must not be used up at logins, and does not use that up.
        await limiter.giveBack(userId);
        await limiter.take(key);
      }
      return async () => {
        try {
          for (const limiter of limiters) await limiter.giveBack(key);
        } catch (err) {
          log.debug({ err }, "a code that was right was counted as an attempt");
        }
      };
    },
  };
}

/**
 * Whether a session may do next to nothing. It carries how it was opened, so neither a refresh nor a change of the account lifts
 * that: one has to log in with the factor.
 *
 * @param secondFactor undefined also for a session from before this was kept
 */
export function restrictionOf(
  secondFactors: Pick<SecondFactors, "isRequiredOf">,
  role: Role,
  secondFactor: SecondFactorUsed | undefined,
): Restriction | undefined {
  return secondFactor === undefined && secondFactors.isRequiredOf(role) ? "second_factor" : undefined;
}

/** @returns the error for a code that somebody who is logged in sent */
export const secondFactorWrong = () =>
  new AppError(
    "permission_denied",
    "second_factor_wrong",
    "The code is not the right one, or was used; wait for the next.",
  );

/** @returns the error for who has no second factor */
export const secondFactorNotFound = () =>
  new AppError("not_found", "second_factor_not_found", "This account has no second factor.");
