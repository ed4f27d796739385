import type { Database } from "../../lib/postgres.ts";
import type { RateLimiter } from "../../lib/rate-limiter.ts";
import type { Redis } from "../../lib/redis.ts";
import type { ReplicatedRedis } from "../../lib/redis-replicated.ts";
import type { Logger } from "../../lib/telemetry/log.ts";
import type { SecondFactors } from "./second-factors/second-factors.ts";
import type { LoginAttempts } from "./sessions/login-attempts.ts";

/** What the verbs of Users work with. */
export interface UsersContext {
  db: Database;
  /** The sessions. */
  redis: Redis;
  /** The same Redis, for what a failover must not lose: that sessions have ended. */
  replicatedRedis: ReplicatedRedis;
  loginAttempts: LoginAttempts;
  secondFactors: SecondFactors;
  /** How often mails may be asked for to one address. */
  mailsPerAddress: RateLimiter;
  log: Logger;
  /** Whether players with an address that is not verified are refused. */
  requireVerifiedEmail: boolean;
  /** ISO 4217; the one currency of this deployment. */
  currency: string;
  /** Secret from which refresh tokens are derived; the same in all replicas. */
  refreshTokenKey: string;
  /** Secret with which the tokens of links in mails are made; the mailer has it too. */
  linkKey: string;
}

/** Where the verbs come from that write no session: jobs have no Redis. */
export type StoreContext = Pick<UsersContext, "db" | "currency">;
