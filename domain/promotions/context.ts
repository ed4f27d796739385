import type { BalanceServiceClient } from "../../lib/grpc/client.ts";
import type { Database } from "../../lib/postgres.ts";
import type { Logger } from "../../lib/telemetry/log.ts";
import type { CodeGuesses } from "./assignments/code-guesses.ts";

/** What the verbs of Promotions work with. */
export interface PromotionsContext {
  db: Database;
  /** ISO 4217; the one currency of this deployment. */
  currency: string;
  /** How many open promotions a player may have; undefined is any number. */
  openPromotionsMax?: number | undefined;
  /** Minor units that a promotion may cost at most without a second person's approval; undefined is any amount. */
  approvalThresholdMinor?: number | undefined;
  log: Logger;
}

/** What a claim needs besides. */
export interface ClaimContext extends PromotionsContext {
  balance: BalanceServiceClient;
}

/** What an opt-in needs besides. */
export interface OptInContext extends PromotionsContext {
  codeGuesses: CodeGuesses;
}
