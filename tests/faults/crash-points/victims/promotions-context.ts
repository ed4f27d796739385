import type { ClaimContext } from "../../../../domain/promotions/context.ts";
import { connectBalanceService } from "../../../../lib/grpc/client.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { log, type Reach, VICTIM } from "./steps.ts";
import { watchBalanceClient } from "./watch-balance.ts";
import { watchDatabase } from "./watch-database.ts";

export interface PromotionsInput {
  databaseUrl: string;
  usersGrpcTarget: string;
  serviceToken: string;
}

/** What the verbs of Promotions work with, watched. */
export const watchedPromotions = (input: PromotionsInput, reach: Reach): ClaimContext => ({
  db: watchDatabase(connectDatabase({ url: input.databaseUrl, name: VICTIM }).db, reach),
  balance: watchBalanceClient(connectBalanceService(input.usersGrpcTarget, input.serviceToken).client, reach),
  currency: "EUR",
  log,
});
