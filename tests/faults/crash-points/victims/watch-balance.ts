import type { BalanceServiceClient } from "../../../../lib/grpc/client.ts";
import type { BalanceServiceImplementation } from "../../../../proto/generated/casino/balance/v1/balance.ts";
import type { Reach } from "./steps.ts";

/** Users as Promotions sees it, with the steps "credit", "credited", "void" and "voided" (answered). A refused credit is not "credited". */
export const watchBalanceClient = (client: BalanceServiceClient, reach: Reach): BalanceServiceClient => ({
  async addTransaction(request, options) {
    reach("credit");
    const answer = await client.addTransaction(request, options);
    reach("credited");
    return answer;
  },
  async voidTransaction(request, options) {
    reach("void");
    const answer = await client.voidTransaction(request, options);
    reach("voided");
    return answer;
  },
});

/** Users itself, with the steps "write" and "written" (committed, and not answered). */
export const watchBalanceService = (
  service: BalanceServiceImplementation,
  reach: Reach,
): BalanceServiceImplementation => ({
  async addTransaction(request, context) {
    reach("write");
    const answer = await service.addTransaction(request, context);
    reach("written");
    return answer;
  },
  voidTransaction: (request, context) => service.voidTransaction(request, context),
});
