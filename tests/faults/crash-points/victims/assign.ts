import { assignPromotion } from "../../../../domain/promotions/assignments/assign-promotion.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";

export interface Input {
  databaseUrl: string;
  promotionId: string;
  playerIds: string[];
  assignedBy: string;
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: VICTIM });
await assignPromotion({ db: watchDatabase(db, reach), currency: "EUR", log }, input);
process.exit(0);
